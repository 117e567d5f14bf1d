-- SPDX-License-Identifier: Apache-2.0
-- A dissector for the link protocol of Periplex (docs/protocol.md, version 1).
--
--   wireshark -X lua_script:periplex_link.lua capture.pcapng
--
-- or put this file into a directory for personal Lua plugins (Help, About, Folders). The protocol travels in TLS on port
-- 24817: give Wireshark the session's keys (a file of SSLKEYLOGFILE form, in the preferences of TLS). Frames in clear on
-- that port are understood too; choose other ports with "Decode As".

local PORT = 24817
local HEADER = 8
local MAX_PAYLOAD = 16896

local types = {
  [0x01] = "HELLO", [0x02] = "WELCOME", [0x03] = "REFUSE", [0x04] = "END", [0x05] = "PING", [0x06] = "PONG",
  [0x07] = "SYNC", [0x10] = "OFFER", [0x11] = "WITHDRAW", [0x12] = "OPEN", [0x13] = "CLOSE", [0x14] = "DATA",
  [0x15] = "CREDIT",
}
local lanes = { [0] = "real-time", [1] = "bulk" }
local purposes = { [0] = "begin", [1] = "join", [2] = "resume" }
local priorities = { [0] = "real-time", [1] = "interactive", [2] = "bulk" }
local kinds = { [0] = "other", [1] = "USB", [2] = "disk", [3] = "input", [4] = "sound", [5] = "radio" }
local speeds = {
  [0] = "none", [1] = "low", [2] = "full", [3] = "high", [4] = "SuperSpeed", [5] = "SuperSpeedPlus",
}
local reasons = {
  [0] = "finished", [1] = "bad magic", [2] = "no common version", [3] = "missing capability",
  [4] = "unknown session", [5] = "bad lane", [6] = "too many sessions", [7] = "not allowed", [16] = "frame too long",
  [17] = "unknown frame", [18] = "bad frame", [19] = "unexpected frame", [20] = "unknown channel",
  [21] = "channel rebound", [22] = "too many channels", [23] = "too many peripherals", [24] = "credit exceeded",
  [25] = "credit overflow", [26] = "bad compression", [27] = "wrong lane", [28] = "does not read", [48] = "silent",
  [49] = "replaced", [50] = "lane lost", [51] = "resume timeout", [64] = "withdrawn", [65] = "not offered",
  [66] = "busy", [67] = "closed before", [68] = "unplugged", [69] = "taken back", [70] = "refused",
  [71] = "worker gone", [72] = "device failed",
}

local link = Proto("periplex_link", "Periplex Link")
local f = {
  type = ProtoField.uint8("periplex_link.type", "Type", base.HEX, types),
  flags = ProtoField.uint8("periplex_link.flags", "Flags", base.HEX),
  compressed = ProtoField.bool("periplex_link.flags.compressed", "Compressed", 8, nil, 0x01),
  length = ProtoField.uint16("periplex_link.length", "Length of the payload", base.DEC),
  channel = ProtoField.uint32("periplex_link.channel", "Channel", base.DEC),
  payload = ProtoField.bytes("periplex_link.payload", "Payload"),
  magic = ProtoField.string("periplex_link.magic", "Magic"),
  min_version = ProtoField.uint16("periplex_link.min_version", "Oldest version", base.DEC),
  max_version = ProtoField.uint16("periplex_link.max_version", "Newest version", base.DEC),
  version = ProtoField.uint16("periplex_link.version", "Version", base.DEC),
  capabilities = ProtoField.uint32("periplex_link.capabilities", "Capabilities", base.HEX),
  zstd = ProtoField.bool("periplex_link.capabilities.zstd", "DATA may be compressed", 32, nil, 0x1),
  datagrams = ProtoField.bool("periplex_link.capabilities.datagrams", "Datagrams repeat urgent streams", 32, nil, 0x2),
  required = ProtoField.uint32("periplex_link.required", "Capabilities required", base.HEX),
  lane = ProtoField.uint8("periplex_link.lane", "Lane", base.DEC, lanes),
  purpose = ProtoField.uint8("periplex_link.purpose", "Purpose", base.DEC, purposes),
  lanes = ProtoField.uint8("periplex_link.lanes", "Lanes", base.DEC),
  urgent_window = ProtoField.uint32("periplex_link.urgent_window", "Window of urgent channels", base.DEC),
  bulk_window = ProtoField.uint32("periplex_link.bulk_window", "Window of bulk channels", base.DEC),
  ping_interval = ProtoField.uint32("periplex_link.ping_interval", "Interval between PINGs (ms)", base.DEC),
  hold = ProtoField.uint32("periplex_link.hold", "Kept without connections (ms)", base.DEC),
  session = ProtoField.uint64("periplex_link.session", "Session", base.DEC),
  secret = ProtoField.bytes("periplex_link.secret", "Secret"),
  name = ProtoField.string("periplex_link.name", "Name", base.UNICODE),
  reason = ProtoField.uint16("periplex_link.reason", "Reason", base.DEC, reasons),
  text = ProtoField.string("periplex_link.text", "Text", base.UNICODE),
  token = ProtoField.uint64("periplex_link.token", "Token", base.HEX),
  kind = ProtoField.uint8("periplex_link.kind", "Kind", base.DEC, kinds),
  speed = ProtoField.uint8("periplex_link.speed", "Speed", base.DEC, speeds),
  vendor = ProtoField.uint16("periplex_link.vendor", "Vendor", base.HEX),
  product = ProtoField.uint16("periplex_link.product", "Product", base.HEX),
  class = ProtoField.uint8("periplex_link.class", "Class", base.HEX),
  subclass = ProtoField.uint8("periplex_link.subclass", "Subclass", base.HEX),
  protocol = ProtoField.uint8("periplex_link.protocol", "Protocol", base.HEX),
  id = ProtoField.string("periplex_link.id", "Identifier"),
  serial = ProtoField.string("periplex_link.serial", "Serial number", base.UNICODE),
  priority = ProtoField.uint8("periplex_link.priority", "Priority", base.DEC, priorities),
  compression = ProtoField.bool("periplex_link.compression", "May be compressed", 8, nil, 0x01),
  plain_length = ProtoField.uint16("periplex_link.plain_length", "Length of the plain piece", base.DEC),
  credit = ProtoField.uint32("periplex_link.credit", "Bytes more", base.DEC),
  way = ProtoField.uint32("periplex_link.way", "Connection, for datagrams", base.DEC),
}
link.fields = f

local malformed = ProtoExpert.new("periplex_link.malformed", "The payload is not what its type says",
                                  expert.group.MALFORMED, expert.severity.ERROR)
link.experts = { malformed }

-- A cursor over a payload. Past the end it adds nothing, and `ok` is false from then on.
local Cursor = {}
Cursor.__index = Cursor

function Cursor.new(range, tree)
  return setmetatable({ range = range, tree = tree, at = 0, ok = true }, Cursor)
end

function Cursor:take(size)
  local length = self.range and self.range:len() or 0
  if not self.ok or self.at + size > length then
    self.ok = false
    return nil
  end
  if size == 0 then return nil end
  local taken = self.range(self.at, size)
  self.at = self.at + size
  return taken
end

-- Adds the next `size` bytes as `field`, in little-endian order; returns them.
function Cursor:add(field, size, ...)
  local taken = self:take(size)
  if taken then
    self.tree:add_le(field, taken)
    for _, bit in ipairs({ ... }) do self.tree:add_le(bit, taken) end
  end
  return taken
end

function Cursor:text(field)
  local size = self:take(1)
  if not size then return "" end
  local taken = self:take(size:uint())
  if not taken then return "" end
  self.tree:add(field, taken)
  return taken:string(ENC_UTF_8)
end

local function greeting(c)
  c:add(f.magic, 4)
end

local function ending(c)
  local reason = c:add(f.reason, 2)
  c:text(f.text)
  return reason and (reasons[reason:le_uint()] or "unknown reason") or ""
end

-- For each type: adds the payload's fields, returns what the summary says of it.
local bodies = {
  [0x01] = function(c)
    greeting(c)
    c:add(f.min_version, 2)
    c:add(f.max_version, 2)
    c:add(f.capabilities, 4, f.zstd, f.datagrams)
    c:add(f.required, 4)
    local lane = c:add(f.lane, 1)
    local purpose = c:add(f.purpose, 1)
    c:add(f.lanes, 1)
    c:take(1)
    c:add(f.urgent_window, 4)
    c:add(f.bulk_window, 4)
    c:add(f.session, 8)
    c:add(f.secret, 32)
    c:text(f.name)
    if not (lane and purpose) then return "" end
    return (purposes[purpose:uint()] or "?") .. ", " .. (lanes[lane:uint()] or "?") .. " lane"
  end,
  [0x02] = function(c)
    greeting(c)
    local version = c:add(f.version, 2)
    local lane = c:add(f.lane, 1)
    c:add(f.lanes, 1)
    c:add(f.capabilities, 4, f.zstd, f.datagrams)
    c:add(f.urgent_window, 4)
    c:add(f.bulk_window, 4)
    c:add(f.ping_interval, 4)
    c:add(f.hold, 4)
    c:add(f.session, 8)
    c:add(f.secret, 32)
    c:text(f.name)
    if c.ok and c.at + 4 <= c.range:len() then c:add(f.way, 4) end
    if not (lane and version) then return "" end
    return "version " .. version:le_uint() .. ", " .. (lanes[lane:uint()] or "?") .. " lane"
  end,
  [0x03] = ending,
  [0x04] = ending,
  [0x05] = function(c) c:add(f.token, 8) end,
  [0x06] = function(c) c:add(f.token, 8) end,
  [0x10] = function(c)
    c:add(f.kind, 1)
    c:add(f.speed, 1)
    c:add(f.vendor, 2)
    c:add(f.product, 2)
    c:add(f.class, 1)
    c:add(f.subclass, 1)
    c:add(f.protocol, 1)
    c:take(1)
    local id = c:text(f.id)
    local name = c:text(f.name)
    c:text(f.serial)
    return id .. " " .. name
  end,
  [0x11] = function(c)
    c:add(f.reason, 2)
    return c:text(f.id)
  end,
  [0x12] = function(c)
    c:add(f.priority, 1)
    c:add(f.compression, 1)
    return c:text(f.id)
  end,
  [0x13] = ending,
  [0x14] = function(c, compressed, length)
    if compressed then c:add(f.plain_length, 2) end
    c:add(f.payload, length - c.at)
    return length .. " bytes" .. (compressed and ", compressed" or "")
  end,
  [0x15] = function(c)
    local credit = c:add(f.credit, 4)
    return credit and tostring(credit:le_uint()) or ""
  end,
}

local function dissect_frame(tvb, pinfo, root)
  local kind = tvb(0, 1):uint()
  local compressed = kind == 0x14 and tvb(1, 1):uint() % 2 == 1
  local length = tvb(2, 2):le_uint()
  local channel = tvb(4, 4):le_uint()
  local known = types[kind] or string.format("type 0x%02x", kind)
  local tree = root:add(link, tvb(0, HEADER + length), "Periplex Link, " .. known)
  tree:add_le(f.type, tvb(0, 1))
  local flags = tree:add_le(f.flags, tvb(1, 1))
  if kind == 0x14 then flags:add_le(f.compressed, tvb(1, 1)) end
  tree:add_le(f.length, tvb(2, 2))
  tree:add_le(f.channel, tvb(4, 4))
  local said = known .. (channel ~= 0 and " #" .. channel or "")
  local body = bodies[kind]
  local payload = length > 0 and tvb(HEADER, length) or nil
  if body then
    local cursor = Cursor.new(payload, tree)
    local summary = body(cursor, compressed, length)
    if summary and summary ~= "" then said = said .. " " .. summary end
    if not cursor.ok then tree:add_proto_expert_info(malformed) end
  elseif payload then
    tree:add(f.payload, payload)
  end
  tree:append_text(", " .. said)
  pinfo.cols.info:append((pinfo.private.periplex_link and ", " or "") .. said)
  pinfo.private.periplex_link = "1"
  return HEADER + length
end

local function frame_length(tvb, _, offset)
  local length = tvb(offset + 2, 2):le_uint()
  -- No frame is so long: the rest of the stream is not understood, and taken piece by piece.
  return HEADER + math.min(length, MAX_PAYLOAD)
end

-- A TLS record. No frame begins so: its types are those of other frames, but with a flag that no version has.
local function is_tls(tvb)
  if tvb:len() < 2 then return false end
  local kind = tvb(0, 1):uint()
  return kind >= 0x14 and kind <= 0x17 and tvb(1, 1):uint() == 3
end

function link.dissector(tvb, pinfo, root)
  if is_tls(tvb) then return Dissector.get("tls"):call(tvb, pinfo, root) end
  pinfo.cols.protocol = "Periplex"
  pinfo.cols.info = ""
  pinfo.private.periplex_link = nil
  dissect_tcp_pdus(tvb, root, HEADER, frame_length, function(frame, info, tree)
    if frame(2, 2):le_uint() + HEADER > frame:len() then
      tree:add(link, frame(), "Periplex Link, a frame that is too long"):add_proto_expert_info(malformed)
      return frame:len()
    end
    return dissect_frame(frame, info, tree)
  end)
  return tvb:len()
end

DissectorTable.get("tcp.port"):add(PORT, link)
-- Inside TLS, where Wireshark has the keys.
local inside_tls = DissectorTable.get("tls.port")
if inside_tls then inside_tls:add(PORT, link) end
