// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-machine/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sstream>

namespace periplex::apps {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "Serves one virtual machine's USB hardware: an xHCI controller over vfio-user, and the peripherals in its ports.\n"
    "The machine's own drivers drive it; QEMU (10.1 or newer) and Cloud Hypervisor attach to it as they are.";

constexpr const char* kFooter = R"(PERIPHERALS (--attach)
  storage,image=PATH[,id=ID][,readonly=true][,removable=true][,speed=super|high|full][,bad-sectors=LIST]
      A USB disk on a raw image or a block device. bad-sectors (as 100+2048-2055) cannot be read: a test aid.
  keyboard[,id=ID][,speed=full|high|super]
  tablet[,id=ID][,speed=...]      a pointer with absolute positions
  mouse[,id=ID][,speed=...]       a pointer with relative movements
  A comma inside a value is written twice. More can be plugged in and pulled at any time: periplex(1).

CONFIGURATION FILE (--config)
  name = "vm1"
  [xhci]
  usb3-ports = 4
  [[peripheral]]
  kind = "storage"
  id = "disk"
  image = "disk.img"            # relative to the file
  Other keys: runtime-dir, control, socket-owner, socket-mode, log-level, spin-us, [xhci] usb2-ports, [capture] usb.
  What the command line says counts before what the file says; its peripherals come after those of the file.

FILES
  DIR/xhci.sock        where the machine's monitor connects (vfio-user)
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

void define(CLI::App& app, CommandLine& line, std::vector<std::string>& specifications, std::string& xhci,
            std::string& capture) {
  Settings& settings = line.settings;
  add(app, "--name", settings.name, "The machine's name (default: vm1)")->type_name("NAME");
  add(app, "--runtime-dir", settings.runtime_directory, "Where its sockets are made")->type_name("DIR");
  app.add_option("--config", line.configuration, "Read settings from a TOML file, see below")->type_name("FILE");
  app.add_option("--xhci", xhci, "Ports of the controller (default: usb2-ports=4,usb3-ports=4)")->type_name("PORTS");
  app.add_option("--attach", specifications, "Plug a peripheral in, see below; may be repeated")
      ->type_name("SPEC")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add(app, "--socket-owner", settings.socket_owner,
      "Give xhci.sock to this user, when the monitor runs as another one (libvirt: libvirt-qemu:kvm)")
      ->type_name("USER[:GROUP]");
  add(app, "--socket-mode", settings.socket_mode, "Mode of xhci.sock (default: 0600; 0660 with --socket-owner)")
      ->type_name("MODE");
  add(app, "--control", settings.control, "The control socket (default: DIR/control.sock)")->type_name("PATH");
  app.add_option("--capture", capture,
                 "Write USB traffic to a pcapng file that Wireshark opens; it holds what is typed")
      ->type_name("usb=FILE");
  add(app, "--spin-us", settings.spin_us,
      "How long the loop may spin for more work before it sleeps, in µs; it adapts, and an idle machine never spins "
      "(default: 200)")
      ->type_name("N");
  add(app, "--log-level", settings.log_level, "debug, info, warning or error (default: info)")->type_name("LEVEL");
  app.add_flag("--trace", line.trace, "Write a line for every register access, transition and transfer");
  app.add_flag("--json", line.json, "Print the line that tells it is ready as JSON");
}

std::expected<void, SettingsError> take_texts(CommandLine& line, const std::vector<std::string>& specifications,
                                              std::string_view xhci, std::string_view capture) {
  for (const std::string& text : specifications) {
    auto description = machine::parse_specification(text);
    if (!description) {
      return std::unexpected(
          SettingsError{fmt::format("--attach {}: {}", text, description.error().text), description.error().advice});
    }
    line.settings.peripherals.push_back(std::move(*description));
  }
  if (!capture.empty()) {
    if (!capture.starts_with("usb=") || capture.size() == 4) {
      return std::unexpected(
          SettingsError{fmt::format("--capture {} names no capture", capture), "write --capture usb=FILE.pcapng"});
    }
    line.settings.capture = std::string(capture.substr(4));
  }
  return parse_xhci(xhci, line.settings);
}

}  // namespace

std::expected<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  std::vector<std::string> specifications;
  std::string xhci;
  std::string capture;
  CLI::App app(kDescription, "periplex-machine");
  app.set_version_flag("--version", "periplex-machine " PERIPLEX_VERSION);
  app.footer(kFooter);
  define(app, line, specifications, xhci, capture);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app.exit(error, out, ignored) == 0) return std::unexpected(EarlyExit{0, std::move(out).str()});
    return std::unexpected(
        EarlyExit{kUsageError, fmt::format("periplex-machine: {}\nSee periplex-machine --help.\n", error.what())});
  }
  if (auto done = take_texts(line, specifications, xhci, capture); !done) {
    return std::unexpected(
        EarlyExit{kUsageError, fmt::format("periplex-machine: {}\n{}\n", done.error().text, done.error().advice)});
  }
  return line;
}

}  // namespace periplex::apps
