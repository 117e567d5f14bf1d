// SPDX-License-Identifier: Apache-2.0
#include "control/metrics.hpp"

#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace periplex::control {
namespace {

using machine::ControllerStatistics;
using machine::ControllerView;
using machine::DiskStatistics;
using machine::EndpointStatistics;
using machine::PeripheralStatistics;
using machine::PeripheralView;
using usb::EndpointCounters;

enum class Type : std::uint8_t { counter, gauge };

/// "label_value can be any sequence of UTF-8 characters, but the backslash, double-quote, and line feed characters have
/// to be escaped".
std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
  }
  return out;
}

/// `name="value"` for each, with commas between them.
std::string labels(std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
  std::string text;
  for (const auto& [name, value] : list) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, escaped(value));
  }
  return text;
}

/// One metric after the other, each with its samples: "All lines for a given metric must be provided as one single
/// group, with the optional HELP and TYPE lines first".
class Exposition {
 public:
  /// Names in HELP need no escaping: they are ours.
  void begin(std::string_view name, Type type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   type == Type::counter ? "counter" : "gauge");
  }
  void sample(std::string_view labels, std::uint64_t value) {
    fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}\n", name_, labels, value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

struct ControllerMetric {
  std::string_view name;
  Type type;
  std::uint64_t ControllerStatistics::* member;
  std::string_view help;
};
constexpr ControllerMetric kControllerMetrics[] = {
    {"periplex_controller_clients_total", Type::counter, &ControllerStatistics::clients,
     "Connections of the machine's monitor."},
    {"periplex_controller_messages_total", Type::counter, &ControllerStatistics::messages,
     "Messages of the machine's monitor, nearly all of them accesses to registers."},
    {"periplex_controller_received_bytes_total", Type::counter, &ControllerStatistics::received_bytes,
     "Bytes of the monitor's messages."},
    {"periplex_controller_sent_bytes_total", Type::counter, &ControllerStatistics::sent_bytes,
     "Bytes of the replies to them."},
    {"periplex_controller_interrupts_total", Type::counter, &ControllerStatistics::interrupts,
     "Interrupts raised in the guest."},
    {"periplex_controller_mapped_bytes", Type::gauge, &ControllerStatistics::mapped_bytes,
     "Guest memory that the controller can reach."},
};

struct EndpointMetric {
  std::string_view name;
  std::uint64_t EndpointCounters::* member;
  std::string_view help;
};
constexpr EndpointMetric kEndpointMetrics[] = {
    {"periplex_endpoint_guest_packets_total", &EndpointCounters::guest_packets,
     "Descriptors of the guest that were carried out: UHCI TDs, EHCI qTDs and iTD slots, xHCI TRBs."},
    {"periplex_endpoint_data_sets_total", &EndpointCounters::data_sets,
     "Data sets that ended, whole, short or failed."},
    {"periplex_endpoint_requests_total", &EndpointCounters::requests, "Requests to the peripheral."},
    {"periplex_endpoint_resubmissions_total", &EndpointCounters::resubmissions,
     "Requests made again because the guest changed the data set meanwhile."},
    {"periplex_endpoint_cancellations_total", &EndpointCounters::cancellations,
     "Requests that the peripheral was asked to end."},
    {"periplex_endpoint_bytes_total", &EndpointCounters::bytes, "Bytes that the guest sent or got."},
    {"periplex_endpoint_errors_total", &EndpointCounters::errors, "Data sets that ended with an error or a stall."},
    {"periplex_endpoint_missed_intervals_total", &EndpointCounters::missed_intervals,
     "Isochronous intervals without the packet that should have been there."},
};

struct DiskMetric {
  std::string_view name;
  std::uint64_t DiskStatistics::* member;
  std::string_view help;
};
constexpr DiskMetric kDiskMetrics[] = {
    {"periplex_disk_commands_total", &DiskStatistics::commands, "Commands of the guest to a disk at a seat."},
    {"periplex_disk_round_trips_total", &DiskStatistics::round_trips,
     "Commands that had to wait until the disk itself had answered."},
    {"periplex_disk_read_bytes_total", &DiskStatistics::bytes_read, "Bytes that the guest read."},
    {"periplex_disk_written_bytes_total", &DiskStatistics::bytes_written, "Bytes that the guest wrote."},
    {"periplex_disk_read_ahead_hits_total", &DiskStatistics::read_ahead_hits,
     "Reads that were served from what had been read ahead."},
    {"periplex_disk_read_ahead_misses_total", &DiskStatistics::read_ahead_misses, "Reads that were not."},
    {"periplex_disk_read_ahead_bytes_total", &DiskStatistics::read_ahead_bytes, "Bytes that were asked for ahead."},
    {"periplex_disk_wasted_bytes_total", &DiskStatistics::wasted_bytes,
     "Bytes that were asked for ahead and never read."},
    {"periplex_disk_early_writes_total", &DiskStatistics::early_writes,
     "Writes that were reported done when they had been sent."},
    {"periplex_disk_failed_early_writes_total", &DiskStatistics::failed_early_writes,
     "Writes that failed after they had been reported done."},
};

void add_controllers(Exposition& text, const machine::MachineView& machine, const machine::Statistics& statistics) {
  for (const ControllerMetric& metric : kControllerMetrics) {
    text.begin(metric.name, metric.type, metric.help);
    for (const ControllerStatistics& controller : statistics.controllers) {
      text.sample(labels({{"machine", machine.name}, {"controller", controller.name}}), controller.*metric.member);
    }
  }
  text.begin("periplex_controller_connected", Type::gauge, "Whether the machine's monitor is connected.");
  for (const ControllerView& controller : machine.controllers) {
    text.sample(labels({{"machine", machine.name}, {"controller", controller.name}}), controller.client.connected);
  }
}

void add_endpoints(Exposition& text, std::string_view machine, const machine::Statistics& statistics) {
  for (const EndpointMetric& metric : kEndpointMetrics) {
    text.begin(metric.name, Type::counter, metric.help);
    for (const PeripheralStatistics& peripheral : statistics.peripherals) {
      for (const EndpointStatistics& endpoint : peripheral.endpoints) {
        text.sample(labels({{"machine", machine},
                            {"peripheral", peripheral.id},
                            {"controller", peripheral.controller},
                            {"endpoint", fmt::format("0x{:02x}", endpoint.endpoint.value)},
                            {"type", usb::name(endpoint.type)}}),
                    endpoint.counters.*metric.member);
      }
    }
  }
}

void add_disks(Exposition& text, std::string_view machine, const machine::Statistics& statistics) {
  for (const DiskMetric& metric : kDiskMetrics) {
    text.begin(metric.name, Type::counter, metric.help);
    for (const PeripheralStatistics& peripheral : statistics.peripherals) {
      if (!peripheral.disk) continue;
      text.sample(labels({{"machine", machine}, {"peripheral", peripheral.id}, {"controller", peripheral.controller}}),
                  (*peripheral.disk).*metric.member);
    }
  }
}

void add_sessions(Exposition& text, std::string_view machine, const machine::Statistics& statistics) {
  text.begin("periplex_session_events_total", Type::counter,
             "What sessions with peripherals at seats have counted, by its name in the control API.");
  for (const PeripheralStatistics& peripheral : statistics.peripherals) {
    for (const remote::Count& count : peripheral.session) {
      text.sample(labels({{"machine", machine}, {"peripheral", peripheral.id}, {"event", count.name}}), count.value);
    }
  }
}

}  // namespace

std::string metrics_text(const machine::MachineView& machine, const std::vector<PeripheralView>& peripherals,
                         const machine::Statistics& statistics) {
  Exposition text;
  text.begin("periplex_uptime_seconds", Type::gauge, "Since periplex-machine was started.");
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(machine.uptime).count();
  text.sample(labels({{"machine", machine.name}}), static_cast<std::uint64_t>(uptime));
  text.begin("periplex_loop_wakeups_total", Type::counter, "Times that the machine's event loop woke up.");
  text.sample(labels({{"machine", machine.name}}), statistics.wakeups);
  add_controllers(text, machine, statistics);
  text.begin("periplex_peripheral_configured", Type::gauge, "Whether a driver of the guest uses the peripheral.");
  for (const PeripheralView& peripheral : peripherals) {
    text.sample(labels({{"machine", machine.name},
                        {"peripheral", peripheral.description.id},
                        {"controller", peripheral.description.controller},
                        {"kind", peripheral.description.kind()}}),
                peripheral.configured);
  }
  add_endpoints(text, machine.name, statistics);
  add_disks(text, machine.name, statistics);
  add_sessions(text, machine.name, statistics);
  return text.take();
}

}  // namespace periplex::control
