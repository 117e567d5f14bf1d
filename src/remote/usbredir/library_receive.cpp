// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include "remote/usbredir/library.hpp"

namespace periplex::remote::usbredir {
namespace {

LibraryUser& user(void* self) {
  return *static_cast<LibraryUser*>(self);
}
void tell(void* self, MessageId id, Message message) {
  user(self).on_message(id, std::move(message));
}
usb::EndpointAddress endpoint(std::uint8_t value) {
  return usb::EndpointAddress(value);
}
Result result(std::uint8_t value) {
  return value <= static_cast<std::uint8_t>(Result::babble) ? static_cast<Result>(value) : Result::io_error;
}

/// The library hands its buffer over; it came from malloc.
Bytes take(std::uint8_t* data, int size) {
  const auto* first = reinterpret_cast<const std::byte*>(data);
  Bytes bytes = data != nullptr ? Bytes(first, first + size) : Bytes();
  usbredirparser_free_packet_data(nullptr, data);
  return bytes;
}

void connect_input_and_output(usbredirparser& library) {
  library.log_func = [](void* self, int level, const char* text) {
    if (level == usbredirparser_error) user(self).on_complaint(text);
  };
  library.read_func = [](void* self, std::uint8_t* room, int size) {
    const MutableByteView to_fill(reinterpret_cast<std::byte*>(room), static_cast<std::size_t>(size));
    return static_cast<int>(user(self).on_read(to_fill));
  };
  library.write_func = [](void* self, std::uint8_t* data, int size) {
    user(self).on_write(ByteView(reinterpret_cast<const std::byte*>(data), static_cast<std::size_t>(size)));
    return size;
  };
  library.hello_func = [](void* self, usb_redir_hello_header* hello) {
    const std::string_view text(hello->version, sizeof hello->version);
    user(self).on_hello({.version = std::string(text.substr(0, text.find('\0'))), .capabilities = {}});
  };
}

/// What a usb-guest hears of the device. Fields that only newer sides have must not be read from older ones: what the
/// library leaves there is of another message.
void connect_device_news(usbredirparser& library) {
  library.device_connect_func = [](void* self, usb_redir_device_connect_header* header) {
    const bool has_version = user(self).common_capabilities().device_version;
    const std::uint8_t speed = header->speed;
    const auto known = speed <= usb_redir_speed_super ? static_cast<WireSpeed>(speed) : WireSpeed::unknown;
    tell(self, 0,
         DeviceConnect{.speed = known,
                       .device_class = header->device_class,
                       .device_subclass = header->device_subclass,
                       .device_protocol = header->device_protocol,
                       .vendor_id = header->vendor_id,
                       .product_id = header->product_id,
                       .device_version = has_version ? header->device_version_bcd : std::uint16_t{0}});
  };
  library.device_disconnect_func = [](void* self) { tell(self, 0, DeviceDisconnect{}); };
  library.interface_info_func = [](void* self, usb_redir_interface_info_header* header) {
    InterfaceInfo info{.count = std::min<std::uint32_t>(header->interface_count, kInterfaces)};
    for (std::size_t i = 0; i < info.count; ++i) {
      info.entries[i] = {.number = header->interface[i],
                         .interface_class = header->interface_class[i],
                         .subclass = header->interface_subclass[i],
                         .protocol = header->interface_protocol[i]};
    }
    tell(self, 0, info);
  };
  library.ep_info_func = [](void* self, usb_redir_ep_info_header* header) {
    const Capabilities& common = user(self).common_capabilities();
    EndpointInfo info;
    for (std::size_t i = 0; i < kEndpoints; ++i) {
      info.entries[i] = {.type = header->type[i], .interval = header->interval[i], .interface = header->interface[i]};
      if (common.max_packet_size) info.entries[i].max_packet_size = header->max_packet_size[i];
      if (common.bulk_streams) info.entries[i].max_streams = header->max_streams[i];
    }
    tell(self, 0, info);
  };
  library.filter_reject_func = [](void* self) { tell(self, 0, FilterReject{}); };
  library.filter_filter_func = [](void*, usbredirfilter_rule*, int) {};  // the guard lets none through
  library.device_disconnect_ack_func = [](void* self) { tell(self, 0, DisconnectAck{}); };
}

void connect_settings(usbredirparser& library) {
  library.reset_func = [](void* self) { tell(self, 0, Reset{}); };
  library.set_configuration_func = [](void* self, std::uint64_t id, usb_redir_set_configuration_header* header) {
    tell(self, id, SetConfiguration{header->configuration});
  };
  library.get_configuration_func = [](void* self, std::uint64_t id) { tell(self, id, GetConfiguration{}); };
  library.configuration_status_func = [](void* self, std::uint64_t id, usb_redir_configuration_status_header* header) {
    tell(self, id, ConfigurationStatus{result(header->status), header->configuration});
  };
  library.set_alt_setting_func = [](void* self, std::uint64_t id, usb_redir_set_alt_setting_header* header) {
    tell(self, id, SetAlternate{header->interface, header->alt});
  };
  library.get_alt_setting_func = [](void* self, std::uint64_t id, usb_redir_get_alt_setting_header* header) {
    tell(self, id, GetAlternate{header->interface});
  };
  library.alt_setting_status_func = [](void* self, std::uint64_t id, usb_redir_alt_setting_status_header* header) {
    tell(self, id, AlternateStatus{result(header->status), header->interface, header->alt});
  };
}

template <PumpKind kind, typename Header>
void tell_stop(void* self, std::uint64_t id, Header* header) {
  StopPump stop{.kind = kind, .endpoint = endpoint(header->endpoint)};
  if constexpr (kind == PumpKind::bulk) stop.stream = header->stream_id;
  tell(self, id, stop);
}
template <PumpKind kind, typename Header>
void tell_status(void* self, std::uint64_t id, Header* header) {
  PumpStatus status{.kind = kind, .endpoint = endpoint(header->endpoint), .result = result(header->status)};
  if constexpr (kind == PumpKind::bulk) status.stream = header->stream_id;
  tell(self, id, status);
}

void connect_pumps(usbredirparser& library) {
  library.start_iso_stream_func = [](void* self, std::uint64_t id, usb_redir_start_iso_stream_header* header) {
    tell(self, id,
         StartPump{.kind = PumpKind::isochronous,
                   .endpoint = endpoint(header->endpoint),
                   .packets_per_urb = header->pkts_per_urb,
                   .urbs = header->no_urbs});
  };
  library.start_interrupt_receiving_func = [](void* self, std::uint64_t id,
                                              usb_redir_start_interrupt_receiving_header* header) {
    tell(self, id, StartPump{.kind = PumpKind::interrupt, .endpoint = endpoint(header->endpoint)});
  };
  library.start_bulk_receiving_func = [](void* self, std::uint64_t id, usb_redir_start_bulk_receiving_header* header) {
    tell(self, id,
         StartPump{.kind = PumpKind::bulk,
                   .endpoint = endpoint(header->endpoint),
                   .urbs = header->no_transfers,
                   .bytes_per_transfer = header->bytes_per_transfer,
                   .stream = header->stream_id});
  };
  library.stop_iso_stream_func = tell_stop<PumpKind::isochronous>;
  library.stop_interrupt_receiving_func = tell_stop<PumpKind::interrupt>;
  library.stop_bulk_receiving_func = tell_stop<PumpKind::bulk>;
  library.iso_stream_status_func = tell_status<PumpKind::isochronous>;
  library.interrupt_receiving_status_func = tell_status<PumpKind::interrupt>;
  library.bulk_receiving_status_func = tell_status<PumpKind::bulk>;
}

void connect_streams(usbredirparser& library) {
  library.alloc_bulk_streams_func = [](void* self, std::uint64_t id, usb_redir_alloc_bulk_streams_header* header) {
    tell(self, id, AllocateStreams{header->endpoints, header->no_streams});
  };
  library.free_bulk_streams_func = [](void* self, std::uint64_t id, usb_redir_free_bulk_streams_header* header) {
    tell(self, id, FreeStreams{header->endpoints});
  };
  library.bulk_streams_status_func = [](void* self, std::uint64_t id, usb_redir_bulk_streams_status_header* header) {
    tell(self, id, StreamsStatus{header->endpoints, header->no_streams, result(header->status)});
  };
}

void connect_data(usbredirparser& library) {
  library.cancel_data_packet_func = [](void* self, std::uint64_t id) { tell(self, id, CancelData{}); };
  library.control_packet_func = [](void* self, std::uint64_t id, usb_redir_control_packet_header* header,
                                   std::uint8_t* data, int size) {
    const usb::SetupPacket setup{.request_type = header->requesttype,
                                 .request = header->request,
                                 .value = header->value,
                                 .index = header->index,
                                 .length = header->length};
    tell(self, id, ControlData{.setup = setup, .result = result(header->status), .data = take(data, size)});
  };
  library.bulk_packet_func = [](void* self, std::uint64_t id, usb_redir_bulk_packet_header* header, std::uint8_t* data,
                                int size) {
    tell(self, id,
         BulkData{.endpoint = endpoint(header->endpoint),
                  .result = result(header->status),
                  .length = std::uint32_t{header->length_high} << 16 | header->length,
                  .stream = header->stream_id,
                  .data = take(data, size)});
  };
  library.iso_packet_func = [](void* self, std::uint64_t id, usb_redir_iso_packet_header* header, std::uint8_t* data,
                               int size) {
    tell(self, id,
         IsochronousData{.endpoint = endpoint(header->endpoint),
                         .result = result(header->status),
                         .length = header->length,
                         .data = take(data, size)});
  };
  library.interrupt_packet_func = [](void* self, std::uint64_t id, usb_redir_interrupt_packet_header* header,
                                     std::uint8_t* data, int size) {
    tell(self, id,
         InterruptData{.endpoint = endpoint(header->endpoint),
                       .result = result(header->status),
                       .length = header->length,
                       .data = take(data, size)});
  };
  library.buffered_bulk_packet_func = [](void* self, std::uint64_t id, usb_redir_buffered_bulk_packet_header* header,
                                         std::uint8_t* data, int size) {
    tell(self, id,
         BufferedBulkData{.endpoint = endpoint(header->endpoint),
                          .result = result(header->status),
                          .stream = header->stream_id,
                          .data = take(data, size)});
  };
}

}  // namespace

void connect(usbredirparser& library, LibraryUser& to) {
  library.priv = &to;
  connect_input_and_output(library);
  connect_device_news(library);
  connect_settings(library);
  connect_pumps(library);
  connect_streams(library);
  connect_data(library);
}

std::uint32_t capability_bits(const Capabilities& of) {
  std::uint32_t bits = 0;
  const auto add = [&bits](bool has, int which) { bits |= has ? 1u << which : 0u; };
  add(of.bulk_streams, usb_redir_cap_bulk_streams);
  add(of.device_version, usb_redir_cap_connect_device_version);
  add(of.filter, usb_redir_cap_filter);
  add(of.disconnect_ack, usb_redir_cap_device_disconnect_ack);
  add(of.max_packet_size, usb_redir_cap_ep_info_max_packet_size);
  add(of.ids_64_bits, usb_redir_cap_64bits_ids);
  add(of.bulk_lengths_32_bits, usb_redir_cap_32bits_bulk_length);
  add(of.bulk_receiving, usb_redir_cap_bulk_receiving);
  return bits;
}

Capabilities capabilities_of(usbredirparser& library) {
  const auto has = [&library](int which) { return usbredirparser_peer_has_cap(&library, which) != 0; };
  return {.bulk_streams = has(usb_redir_cap_bulk_streams),
          .device_version = has(usb_redir_cap_connect_device_version),
          .filter = has(usb_redir_cap_filter),
          .disconnect_ack = has(usb_redir_cap_device_disconnect_ack),
          .max_packet_size = has(usb_redir_cap_ep_info_max_packet_size),
          .ids_64_bits = has(usb_redir_cap_64bits_ids),
          .bulk_lengths_32_bits = has(usb_redir_cap_32bits_bulk_length),
          .bulk_receiving = has(usb_redir_cap_bulk_receiving)};
}

}  // namespace periplex::remote::usbredir
