// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-machine/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sstream>

namespace periplex::apps {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "Serves one virtual machine's USB hardware: controllers over vfio-user, and the peripherals in their ports.\n"
    "The machine's own drivers drive them; QEMU (10.1 or newer) and Cloud Hypervisor attach to them as they are.";

constexpr const char* kFooter = R"(CONTROLLERS (--controller)
  xhci[,name=NAME][,usb2-ports=4][,usb3-ports=4]     USB 3, 2 and 1
  ehci[,name=NAME][,ports=6][,verify=LIST]           USB 2; with a companion UHCI for every two ports, for USB 1
  uhci[,name=NAME][,ports=2][,verify=LIST]           USB 1
      NAME is the kind if it is left out, with a number from the second of a kind on. verify says by what a packet of
      the guest is recognised when its peripheral has answered: addresses+descriptors (the default), +data.
  Without any it is one xhci. --xhci PORTS is short for --controller xhci,PORTS.

PERIPHERALS (--attach)
  storage,image=PATH[,id=ID][,transport=bulk-only|uas][,readonly=true][,removable=true][,bad-sectors=LIST]
      A USB disk on a raw image or a block device. With uas (USB Attached SCSI) the guest may send it many commands at
      once. bad-sectors (as 100+2048-2055) cannot be read: a test aid.
  keyboard[,id=ID]
  tablet[,id=ID]      a pointer with absolute positions
  mouse[,id=ID]       a pointer with relative movements
  serial[,id=ID][,link=PATH]
      A serial port (in Linux ttyACM0). Its other end is a pseudo-terminal: `periplex list` tells which; PATH becomes a
      symbolic link to it.
  sound[,id=ID][,playback=FILE][,capture=FILE]
      A sound card that plays to FILE and records from FILE: 16 bits, stereo. A FILE is made as WAV, and read as WAV;
      a FIFO carries bare PCM.
  usbip,host=HOST[:PORT],busid=BUSID[,id=ID][,ahead=N]
      A device at a USB/IP server, which is connected to before anything is served. USB/IP is neither encrypted nor
      authenticated.
  usbip,listen=ADDRESS:PORT[,busid=BUSID][,id=ID][,ahead=N]
      The same with a server that connects to us, and does so again whenever its connection is lost. BUSID is 1-1 if it
      is left out.
  usbredir,host=HOST[:PORT][,id=ID]
      A device at a usbredir server, as `usbredirect --device BUS-DEV --as ADDRESS:PORT` is; the port is 4000 unless it
      is given. Connected to before anything is served, neither encrypted nor authenticated.
  seat,peripheral=SEAT/ID[,id=ID][,terminate=false][,read-ahead=off|SIZE][,write-cache=on|SIZE]
      A peripheral at a seat; periplex-gate brings its streams (--streams). While the seat cannot be reached it stays in
      its port, held, for up to 20 s. A disk's commands travel whole, with their data, unless it is tunnelled instead
      (terminate=false). read-ahead (on, 16M at most) fetches what a guest that reads in sequence will read next;
      write-cache (off) reports writes done when they are sent. SIZE is 64K to 64M.
  All take controller=NAME (default: the first that runs its speed and has a free port) and speed=super|high|full
  (default: full; for disks the fastest there is, for serial ports high if there is; sound: not super;
  usbip, usbredir and seat: the device's own, or as fast as there is a controller for).
  A comma inside a value is written twice. More can be plugged in and pulled at any time: periplex(1).

PRESETS (--preset)
  PERIPHERAL[,readonly=true][,vendor=0xNNNN][,product=0xNNNN][,manufacturer=TEXT][,name=TEXT][,serial=TEXT]
    [,interval-ms=N]
      Settled here once, for any guest. PERIPHERAL is SEAT/ID for a peripheral at a seat, its id for others; * and ? stand
      for others, the first that fits counts. readonly: nothing is written to the disk, whatever the guest does.
      vendor, product and the texts are what the guest sees in place of the device's own. interval-ms: how often the
      guest is to ask a keyboard or pointer for news.

CONFIGURATION FILE (--config)
  name = "vm1"
  [[controller]]
  kind = "xhci"
  usb3-ports = 2
  [[peripheral]]
  kind = "storage"
  id = "disk"
  image = "disk.img"            # relative to the file
  [[preset]]
  peripheral = "desk-7/usb:1-2"
  readonly = true
  [remote-disks]
  read-ahead = "32M"            # and terminate, write-cache: of all disks at seats that do not say it themselves
  Other keys: runtime-dir, control, streams, socket-owner, socket-mode, log-level, spin-us, low-latency,
  [capture] usb.
  What the command line says counts before what the file says, controllers included; its peripherals come after those
  of the file.

FILES
  DIR/NAME.sock        where the machine's monitor connects to the controller NAME (vfio-user); an ehci has more:
                       NAME-companion1.sock and so on, one for every two ports
  DIR/control.sock     the control API (HTTP and JSON), for periplex(1)
  DIR is --runtime-dir; without it /run/periplex/NAME for root, $XDG_RUNTIME_DIR/periplex/NAME for others.

SIGNALS
  SIGTERM and SIGINT: everything is unplugged, disks are made durable, sockets are removed.

EXIT STATUS
  0 ended by a signal, 1 could not start, 2 wrong usage.

EXAMPLE
  periplex-machine --name vm1 --attach storage,id=disk,image=disk.img --attach keyboard --attach tablet
  It prints the arguments that QEMU needs; `periplex args libvirt` prints those of others.)";

/// A setting, put where `merge` sees whether it was given.
template <typename T>
CLI::Option* add(CLI::App& app, const std::string& name, std::optional<T>& into, const std::string& help) {
  return app.add_option_function<T>(name, [&into](const T& value) { into = value; }, help);
}

/// What is read by parsers of its own.
struct Texts {
  std::vector<std::string> controllers;
  std::vector<std::string> peripherals;
  std::vector<std::string> presets;
  std::string xhci;
  std::string capture;
  std::string remote_disks;
};

CLI::Option* add_repeated(CLI::App& app, const char* name, std::vector<std::string>& into, const char* help) {
  return app.add_option(name, into, help)
      ->type_name("SPEC")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void define(CLI::App& app, CommandLine& line, Texts& texts) {
  Settings& settings = line.settings;
  add(app, "--name", settings.name, "The machine's name (default: vm1)")->type_name("NAME");
  add(app, "--runtime-dir", settings.runtime_directory, "Where its sockets are made")->type_name("DIR");
  app.add_option("--config", line.configuration, "Read settings from a TOML file, see below")->type_name("FILE");
  add_repeated(app, "--controller", texts.controllers, "Have a controller, see below; may be repeated");
  app.add_option("--xhci", texts.xhci, "Have an xHCI with these ports (default: usb2-ports=4,usb3-ports=4)")
      ->type_name("PORTS");
  add_repeated(app, "--attach", texts.peripherals, "Plug a peripheral in, see below; may be repeated");
  add_repeated(app, "--preset", texts.presets, "Settle how guests see a peripheral, see below; may be repeated");
  add(app, "--socket-owner", settings.socket_owner,
      "Give the controllers' sockets to this user, when the monitor runs as another one (libvirt: libvirt-qemu:kvm)")
      ->type_name("USER[:GROUP]");
  add(app, "--socket-mode", settings.socket_mode,
      "Mode of the controllers' sockets (default: 0600; 0660 with --socket-owner)")
      ->type_name("MODE");
  add(app, "--control", settings.control, "The control socket (default: DIR/control.sock)")->type_name("PATH");
  add(app, "--streams", settings.streams,
      "Take the streams of peripherals at seats on this socket, to which periplex-gate connects")
      ->type_name("PATH");
  app.add_option("--remote-disks", texts.remote_disks,
                 "How disks at seats are brought here that do not say it themselves: terminate, read-ahead and "
                 "write-cache, see below")
      ->type_name("KEY=VALUE,...");
  app.add_option("--capture", texts.capture,
                 "Write USB traffic to a pcapng file that Wireshark opens; it holds what is typed")
      ->type_name("usb=FILE");
  add(app, "--spin-us", settings.spin_us,
      "How long the loop may spin for more work before it sleeps, in µs; it adapts, and an idle machine never spins "
      "(default: 200)")
      ->type_name("N");
  app.add_flag_callback(
      "--low-latency", [&settings] { settings.low_latency = true; },
      "Keep this computer's processors from sleeping while the guest works (needs /dev/cpu_dma_latency; costs power)");
  add(app, "--log-level", settings.log_level, "debug, info, warning or error (default: info)")->type_name("LEVEL");
  app.add_flag("--trace", line.trace, "Write a line for every register access, transition and transfer");
  app.add_flag("--unconfined", line.unconfined,
               "Keep all rights while serving, for debuggers and profilers (docs/gate.md, Workers)");
  app.add_flag("--json", line.json, "Print the line that tells it is ready as JSON");
}

std::unexpected<SettingsError> wrong(std::string_view option, std::string_view text,
                                     const machine::SpecificationError& error) {
  return std::unexpected(SettingsError{fmt::format("{} {}: {}", option, text, error.text), error.advice});
}

std::expected<void, SettingsError> take_texts(CommandLine& line, const Texts& texts) {
  std::vector<std::string> controllers = texts.controllers;
  if (!texts.xhci.empty()) controllers.push_back("xhci," + texts.xhci);
  for (const std::string& text : controllers) {
    auto description = machine::parse_controller(text);
    if (!description) return wrong("--controller", text, description.error());
    line.settings.controllers.push_back(std::move(*description));
  }
  for (const std::string& text : texts.peripherals) {
    auto description = machine::parse_specification(text);
    if (!description) return wrong("--attach", text, description.error());
    line.settings.peripherals.push_back(std::move(*description));
  }
  if (!texts.remote_disks.empty()) {
    const auto disks = machine::parse_disk_settings(texts.remote_disks);
    if (!disks) return wrong("--remote-disks", texts.remote_disks, disks.error());
    line.settings.remote_disks = *disks;
  }
  for (const std::string& text : texts.presets) {
    auto preset = machine::parse_preset(text);
    if (!preset) return wrong("--preset", text, preset.error());
    line.settings.presets.push_back(std::move(*preset));
  }
  if (texts.capture.empty()) return {};
  constexpr std::string_view kUsb = "usb=";
  if (!texts.capture.starts_with(kUsb) || texts.capture.size() == kUsb.size()) {
    return std::unexpected(
        SettingsError{fmt::format("--capture {} names no capture", texts.capture), "write --capture usb=FILE.pcapng"});
  }
  line.settings.capture = texts.capture.substr(kUsb.size());
  return {};
}

}  // namespace

std::expected<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  Texts texts;
  CLI::App app(kDescription, "periplex-machine");
  app.set_version_flag("--version", "periplex-machine " PERIPLEX_VERSION);
  app.footer(kFooter);
  define(app, line, texts);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app.exit(error, out, ignored) == 0) return std::unexpected(EarlyExit{0, std::move(out).str()});
    return std::unexpected(
        EarlyExit{kUsageError, fmt::format("periplex-machine: {}\nSee periplex-machine --help.\n", error.what())});
  }
  if (auto done = take_texts(line, texts); !done) {
    return std::unexpected(
        EarlyExit{kUsageError, fmt::format("periplex-machine: {}\n{}\n", done.error().text, done.error().advice)});
  }
  return line;
}

}  // namespace periplex::apps
