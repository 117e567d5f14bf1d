// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/library.hpp"

namespace periplex::remote::usbredir {
namespace {

/// The library copies what it gets, though its interface does not say so.
std::uint8_t* bytes_of(const Bytes& data) {
  return data.empty() ? nullptr : reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(data.data()));
}
int size_of(const Bytes& data) {
  return static_cast<int>(data.size());
}
std::uint8_t code(Result result) {
  return static_cast<std::uint8_t>(result);
}

/// One function per message, for std::visit.
class Sender {
 public:
  Sender(usbredirparser& library, MessageId id) : library_(&library), id_(id) {}

  void operator()(const Hello&) const {}  // the library sends it by itself
  void operator()(const DeviceConnect& message) const {
    usb_redir_device_connect_header header{.speed = static_cast<std::uint8_t>(message.speed),
                                           .device_class = message.device_class,
                                           .device_subclass = message.device_subclass,
                                           .device_protocol = message.device_protocol,
                                           .vendor_id = message.vendor_id,
                                           .product_id = message.product_id,
                                           .device_version_bcd = message.device_version};
    usbredirparser_send_device_connect(library_, &header);
  }
  void operator()(const DeviceDisconnect&) const { usbredirparser_send_device_disconnect(library_); }
  void operator()(const Reset&) const { usbredirparser_send_reset(library_); }
  void operator()(const InterfaceInfo& message) const {
    usb_redir_interface_info_header header{};
    header.interface_count = message.count;
    for (std::size_t i = 0; i < message.count; ++i) {
      header.interface[i] = message.entries[i].number;
      header.interface_class[i] = message.entries[i].interface_class;
      header.interface_subclass[i] = message.entries[i].subclass;
      header.interface_protocol[i] = message.entries[i].protocol;
    }
    usbredirparser_send_interface_info(library_, &header);
  }
  void operator()(const EndpointInfo& message) const {
    usb_redir_ep_info_header header{};
    for (std::size_t i = 0; i < kEndpoints; ++i) {
      header.type[i] = message.entries[i].type;
      header.interval[i] = message.entries[i].interval;
      header.interface[i] = message.entries[i].interface;
      header.max_packet_size[i] = message.entries[i].max_packet_size;
      header.max_streams[i] = message.entries[i].max_streams;
    }
    usbredirparser_send_ep_info(library_, &header);
  }

  void operator()(const SetConfiguration& message) const {
    usb_redir_set_configuration_header header{.configuration = message.configuration};
    usbredirparser_send_set_configuration(library_, id_, &header);
  }
  void operator()(const GetConfiguration&) const { usbredirparser_send_get_configuration(library_, id_); }
  void operator()(const ConfigurationStatus& message) const {
    usb_redir_configuration_status_header header{.status = code(message.result),
                                                 .configuration = message.configuration};
    usbredirparser_send_configuration_status(library_, id_, &header);
  }
  void operator()(const SetAlternate& message) const {
    usb_redir_set_alt_setting_header header{.interface = message.interface, .alt = message.alternate};
    usbredirparser_send_set_alt_setting(library_, id_, &header);
  }
  void operator()(const GetAlternate& message) const {
    usb_redir_get_alt_setting_header header{.interface = message.interface};
    usbredirparser_send_get_alt_setting(library_, id_, &header);
  }
  void operator()(const AlternateStatus& message) const {
    usb_redir_alt_setting_status_header header{
        .status = code(message.result), .interface = message.interface, .alt = message.alternate};
    usbredirparser_send_alt_setting_status(library_, id_, &header);
  }

  void operator()(const StartPump& message) const {
    const std::uint8_t endpoint = message.endpoint.value;
    if (message.kind == PumpKind::isochronous) {
      usb_redir_start_iso_stream_header header{
          .endpoint = endpoint, .pkts_per_urb = message.packets_per_urb, .no_urbs = message.urbs};
      usbredirparser_send_start_iso_stream(library_, id_, &header);
    } else if (message.kind == PumpKind::interrupt) {
      usb_redir_start_interrupt_receiving_header header{.endpoint = endpoint};
      usbredirparser_send_start_interrupt_receiving(library_, id_, &header);
    } else {
      usb_redir_start_bulk_receiving_header header{.stream_id = message.stream,
                                                   .bytes_per_transfer = message.bytes_per_transfer,
                                                   .endpoint = endpoint,
                                                   .no_transfers = message.urbs};
      usbredirparser_send_start_bulk_receiving(library_, id_, &header);
    }
  }
  void operator()(const StopPump& message) const {
    const std::uint8_t endpoint = message.endpoint.value;
    if (message.kind == PumpKind::isochronous) {
      usb_redir_stop_iso_stream_header header{.endpoint = endpoint};
      usbredirparser_send_stop_iso_stream(library_, id_, &header);
    } else if (message.kind == PumpKind::interrupt) {
      usb_redir_stop_interrupt_receiving_header header{.endpoint = endpoint};
      usbredirparser_send_stop_interrupt_receiving(library_, id_, &header);
    } else {
      usb_redir_stop_bulk_receiving_header header{.stream_id = message.stream, .endpoint = endpoint};
      usbredirparser_send_stop_bulk_receiving(library_, id_, &header);
    }
  }
  void operator()(const PumpStatus& message) const {
    const std::uint8_t endpoint = message.endpoint.value;
    if (message.kind == PumpKind::isochronous) {
      usb_redir_iso_stream_status_header header{.status = code(message.result), .endpoint = endpoint};
      usbredirparser_send_iso_stream_status(library_, id_, &header);
    } else if (message.kind == PumpKind::interrupt) {
      usb_redir_interrupt_receiving_status_header header{.status = code(message.result), .endpoint = endpoint};
      usbredirparser_send_interrupt_receiving_status(library_, id_, &header);
    } else {
      usb_redir_bulk_receiving_status_header header{
          .stream_id = message.stream, .endpoint = endpoint, .status = code(message.result)};
      usbredirparser_send_bulk_receiving_status(library_, id_, &header);
    }
  }

  void operator()(const AllocateStreams& message) const {
    usb_redir_alloc_bulk_streams_header header{.endpoints = message.endpoints, .no_streams = message.count};
    usbredirparser_send_alloc_bulk_streams(library_, id_, &header);
  }
  void operator()(const FreeStreams& message) const {
    usb_redir_free_bulk_streams_header header{.endpoints = message.endpoints};
    usbredirparser_send_free_bulk_streams(library_, id_, &header);
  }
  void operator()(const StreamsStatus& message) const {
    usb_redir_bulk_streams_status_header header{
        .endpoints = message.endpoints, .no_streams = message.count, .status = code(message.result)};
    usbredirparser_send_bulk_streams_status(library_, id_, &header);
  }

  void operator()(const CancelData&) const { usbredirparser_send_cancel_data_packet(library_, id_); }
  void operator()(const FilterReject&) const { usbredirparser_send_filter_reject(library_); }
  void operator()(const DisconnectAck&) const {}  // the library sends it by itself

  void operator()(const ControlData& message) const {
    const usb::SetupPacket& setup = message.setup;
    usb_redir_control_packet_header header{.endpoint = static_cast<std::uint8_t>(setup.request_type & 0x80),
                                           .request = setup.request,
                                           .requesttype = setup.request_type,
                                           .status = code(message.result),
                                           .value = setup.value,
                                           .index = setup.index,
                                           .length = setup.length};
    usbredirparser_send_control_packet(library_, id_, &header, bytes_of(message.data), size_of(message.data));
  }
  void operator()(const BulkData& message) const {
    usb_redir_bulk_packet_header header{.endpoint = message.endpoint.value,
                                        .status = code(message.result),
                                        .length = static_cast<std::uint16_t>(message.length),
                                        .stream_id = message.stream,
                                        .length_high = static_cast<std::uint16_t>(message.length >> 16)};
    usbredirparser_send_bulk_packet(library_, id_, &header, bytes_of(message.data), size_of(message.data));
  }
  void operator()(const IsochronousData& message) const {
    usb_redir_iso_packet_header header{
        .endpoint = message.endpoint.value, .status = code(message.result), .length = message.length};
    usbredirparser_send_iso_packet(library_, id_, &header, bytes_of(message.data), size_of(message.data));
  }
  void operator()(const InterruptData& message) const {
    usb_redir_interrupt_packet_header header{
        .endpoint = message.endpoint.value, .status = code(message.result), .length = message.length};
    usbredirparser_send_interrupt_packet(library_, id_, &header, bytes_of(message.data), size_of(message.data));
  }
  void operator()(const BufferedBulkData& message) const {
    usb_redir_buffered_bulk_packet_header header{.stream_id = message.stream,
                                                 .length = static_cast<std::uint32_t>(message.data.size()),
                                                 .endpoint = message.endpoint.value,
                                                 .status = code(message.result)};
    usbredirparser_send_buffered_bulk_packet(library_, id_, &header, bytes_of(message.data), size_of(message.data));
  }

 private:
  usbredirparser* library_;
  MessageId id_;
};

}  // namespace

void send_message(usbredirparser& library, MessageId id, const Message& message) {
  std::visit(Sender(library, id), message);
}

}  // namespace periplex::remote::usbredir
