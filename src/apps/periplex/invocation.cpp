// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/invocation.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sstream>

#include "apps/places.hpp"
#include "machine/operations.hpp"
#include "remote/usbip/operation.hpp"
#include "remote/usbredir/messages.hpp"

namespace periplex::apps {
namespace {

constexpr const char* kDescription =
    "Controls a virtual machine's hardware that periplex-machine serves: plug peripherals in and pull them, type, "
    "point, "
    "look.";

constexpr const char* kFooter = R"(WHICH MACHINE
  --control PATH, else the machine --machine NAME (default: $PERIPLEX_MACHINE, else vm1), whose socket is
  /run/periplex/NAME/control.sock for root and $XDG_RUNTIME_DIR/periplex/NAME/control.sock for others.

OUTPUT
  Text for people; with --json one JSON value, also for errors: {"error": "...", "advice": "..."}.

EXIT STATUS
  0 done; 1 refused or failed, with the reason and what to do on standard error; 2 wrong usage.

EXAMPLES
  periplex attach storage,id=stick,image=stick.img,removable=true
  periplex type "root
  "
  periplex key ctrl+alt+delete
  periplex args libvirt
  periplex doctor)";

/// Whatever a subcommand finds on the command line, until it is known which one it was.
struct Words {
  std::string machine;
  std::string control;
  bool json = false;
  std::string to;
  std::string memory = "2G";
  std::string qemu = "qemu-system-x86_64";
  std::string id;
  std::string text;
  std::vector<std::string> chords;
  bool force = false;
  bool prometheus = false;
  int x = 0;
  int y = 0;
  std::string button;
  std::string listen;
  std::vector<std::string> specifications;
};

CLI::App* add_command(CLI::App& app, const char* name, const char* help, std::function<void()> chosen) {
  CLI::App* command = app.add_subcommand(name, help);
  command->callback(std::move(chosen));
  return command;
}

void add_to(CLI::App* command, Words& words, const char* what) {
  command->add_option("--to", words.to, fmt::format("Which {} (default: the first)", what))->type_name("ID");
}

void add_peripheral_commands(CLI::App& app, Words& words, command::Any& chosen) {
  add_command(app, "list", "Show what is plugged in", [&] { chosen = command::List{}; });
  CLI::App* attach = add_command(app, "attach", "Plug a peripheral in", [&] { chosen = command::Attach{words.text}; });
  attach
      ->add_option("SPEC", words.text,
                   "storage,image=PATH[,transport=uas][,readonly=true][,removable=true], keyboard, tablet, mouse, "
                   "serial[,link=PATH], sound[,playback=FILE][,capture=FILE], usbip,host=HOST[:PORT],busid=ID, "
                   "usbip,listen=ADDRESS:PORT[,busid=ID] (the server connects to us) or "
                   "usbredir,host=HOST[:PORT], each "
                   "with [,id=ID][,controller=NAME]"
                   "[,speed=super|high|full]; a comma inside a value is written twice")
      ->required();
  CLI::App* detach = add_command(app, "detach", "Pull a peripheral, whatever the guest does with it",
                                 [&] { chosen = command::Detach{words.id}; });
  detach->add_option("ID", words.id, "The peripheral, as in `periplex list`")->required();
  CLI::App* eject = add_command(app, "eject", "Take the medium out of a removable disk; the disk stays",
                                [&] { chosen = command::Eject{words.id, words.force}; });
  eject->add_option("ID", words.id, "The disk")->required();
  eject->add_flag("--force", words.force, "Even if the guest has locked the medium; what it has not written is lost");
  CLI::App* insert = add_command(app, "insert", "Put a medium into a removable disk",
                                 [&] { chosen = command::Insert{words.id, words.text}; });
  insert->add_option("ID", words.id, "The disk")->required();
  insert->add_option("IMAGE", words.text, "A raw disk image or a block device")->required();
}

void add_keyboard_commands(CLI::App& app, Words& words, command::Any& chosen) {
  CLI::App* type = add_command(app, "type", "Type a text on a US keyboard; the guest fetches it at its own pace",
                               [&] { chosen = command::Type{words.text, words.to}; });
  type->add_option("TEXT", words.text, "Line feeds are Enter, tabs are Tab")->required();
  add_to(type, words, "keyboard");
  CLI::App* key = add_command(app, "key", "Press keys", [&] { chosen = command::Key{words.chords, words.to}; });
  key->add_option("CHORD", words.chords, "Keys held together, as ctrl+alt+delete, f5 or enter; one after the other")
      ->required();
  add_to(key, words, "keyboard");
}

void add_pointer_commands(CLI::App& app, Words& words, command::Any& chosen) {
  CLI::App* pointer = app.add_subcommand("pointer", "Move, click and scroll");
  pointer->require_subcommand(1);
  const auto send = [&](std::string body) { chosen = command::Pointer{std::move(body), words.to}; };
  CLI::App* move = add_command(*pointer, "move", "Move a tablet's pointer to a position",
                               [&words, send] { send(fmt::format(R"({{"x":{},"y":{}}})", words.x, words.y)); });
  constexpr int kMost = machine::pointer::kMaxPosition;
  move->add_option("X", words.x, "From the left, 0 to 32767")->required()->check(CLI::Range(0, kMost));
  move->add_option("Y", words.y, "From the top, 0 to 32767")->required()->check(CLI::Range(0, kMost));
  CLI::App* by = add_command(*pointer, "by", "Move a mouse's pointer by a distance",
                             [&words, send] { send(fmt::format(R"({{"dx":{},"dy":{}}})", words.x, words.y)); });
  by->add_option("X", words.x, "To the right")->required()->check(CLI::Range(-kMost, kMost));
  by->add_option("Y", words.y, "Down")->required()->check(CLI::Range(-kMost, kMost));
  CLI::App* click = add_command(*pointer, "click", "Press and release a button",
                                [&words, send] { send(fmt::format(R"({{"click":"{}"}})", words.button)); });
  click->add_option("BUTTON", words.button, "left, middle or right")
      ->required()
      ->check(CLI::IsMember({"left", "middle", "right"}));
  CLI::App* scroll = add_command(*pointer, "scroll", "Turn the wheel",
                                 [&words, send] { send(fmt::format(R"({{"wheel":{}}})", words.x)); });
  scroll->add_option("N", words.x, "Notches; away from the user is positive")->required()->check(CLI::Range(-127, 127));
  for (CLI::App* command : {move, by, click, scroll}) add_to(command, words, "pointer");
}

void add_machine_commands(CLI::App& app, Words& words, command::Any& chosen) {
  CLI::App* stats =
      add_command(app, "stats", "Show what has been counted", [&] { chosen = command::Stats{words.prometheus}; });
  stats->add_flag("--prometheus", words.prometheus, "As Prometheus scrapes it");
  CLI::App* capture = app.add_subcommand("capture", "Write USB traffic to a file that Wireshark opens");
  capture->require_subcommand(1);
  CLI::App* start = add_command(*capture, "start", "Begin; what is typed at a keyboard is in it, too",
                                [&] { chosen = command::CaptureStart{words.text}; });
  start->add_option("FILE", words.text, "A pcapng file, or a FIFO that Wireshark reads (wireshark -k -i FIFO)")
      ->required();
  add_command(*capture, "stop", "End", [&] { chosen = command::CaptureStop{}; });
  CLI::App* args = add_command(app, "args", "Print what a machine's monitor has to be started with",
                               [&] { chosen = command::Args{words.text, words.memory}; });
  args->add_option("VMM", words.text, "qemu, libvirt or cloud-hypervisor")
      ->required()
      ->check(CLI::IsMember({"qemu", "libvirt", "cloud-hypervisor"}));
  args->add_option("--memory", words.memory, "The machine's RAM (default: 2G)")->type_name("SIZE");
  CLI::App* doctor = add_command(app, "doctor", "Find what is missing or wrong on this host, and how to mend it",
                                 [&] { chosen = command::Doctor{words.qemu}; });
  doctor->add_option("--qemu", words.qemu, "The QEMU to look at (default: qemu-system-x86_64)")->type_name("PROGRAM");
  CLI::App* completion = add_command(app, "completion", "Print a script that completes periplex in a shell",
                                     [&] { chosen = command::Completion{words.text}; });
  completion->add_option("SHELL", words.text, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  add_command(app, "version", "Show the version", [&] { chosen = command::Version{}; });
}

/// Where to serve: this computer only, unless told otherwise.
std::string listen_at(const Words& words, unsigned default_port) {
  return words.listen.empty() ? fmt::format("127.0.0.1:{}", default_port) : words.listen;
}

/// Peripherals elsewhere, and ours for elsewhere: no machine is asked.
void add_remote_commands(CLI::App& app, Words& words, command::Any& chosen) {
  CLI::App* serve = app.add_subcommand("serve", "Serve peripherals of this computer to others, without a machine");
  serve->require_subcommand(1);
  CLI::App* usbip = add_command(*serve, "usbip", "Over USB/IP, for example to Linux's vhci-hcd", [&] {
    chosen = command::ServeUsbip{listen_at(words, remote::usbip::kDefaultPort), words.specifications};
  });
  usbip->add_option("--listen", words.listen, "Where clients connect (default: 127.0.0.1:3240)")
      ->type_name("ADDRESS:PORT");
  usbip
      ->add_option(
          "--attach", words.specifications,
          "A peripheral as for `periplex attach`; again for more. What comes on standard input is typed at the "
          "first keyboard")
      ->required()
      ->type_name("SPEC")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::App* usbredir = add_command(*serve, "usbredir", "One, over usbredir, for example to QEMU's usb-redir", [&] {
    chosen = command::ServeUsbredir{listen_at(words, remote::usbredir::kDefaultPort), words.text};
  });
  usbredir->add_option("--listen", words.listen, "Where clients connect (default: 127.0.0.1:4000)")
      ->type_name("ADDRESS:PORT");
  usbredir
      ->add_option("--attach", words.text,
                   "The peripheral, as for `periplex attach`. What comes on standard input is typed at it, if it is a "
                   "keyboard")
      ->required()
      ->type_name("SPEC");
  CLI::App* browse = app.add_subcommand("browse", "Show what another computer offers");
  browse->require_subcommand(1);
  CLI::App* there = add_command(*browse, "usbip", "A USB/IP server", [&] { chosen = command::ShowUsbip{words.text}; });
  there->add_option("HOST", words.text, "HOST[:PORT]")->required();
}

}  // namespace

std::expected<Invocation, UsageExit> parse_invocation(int argc, const char* const* argv) {
  Words words;
  command::Any chosen;
  const char* from_environment = std::getenv("PERIPLEX_MACHINE");
  words.machine = from_environment != nullptr && *from_environment != '\0' ? from_environment : kDefaultMachineName;
  CLI::App app(kDescription, "periplex");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--machine", words.machine, "The machine's name")->type_name("NAME");
  app.add_option("--control", words.control, "Its control socket")->type_name("PATH");
  app.add_flag("--json", words.json, "Print JSON");
  add_peripheral_commands(app, words, chosen);
  add_keyboard_commands(app, words, chosen);
  add_pointer_commands(app, words, chosen);
  add_machine_commands(app, words, chosen);
  add_remote_commands(app, words, chosen);
  for (CLI::App* command : app.get_subcommands(nullptr)) command->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app.exit(error, out, ignored) == 0) return std::unexpected(UsageExit{0, std::move(out).str()});
    return std::unexpected(UsageExit{kUsageError, fmt::format("periplex: {}\nSee periplex --help.\n", error.what())});
  }
  if (!machine::is_valid_id(words.machine)) {
    return std::unexpected(
        UsageExit{kUsageError,
                  fmt::format("periplex: \"{}\" cannot be a machine's name\nSee periplex --help.\n", words.machine)});
  }
  if (words.control.empty()) words.control = fmt::format("{}/{}", runtime_directory(words.machine), kControlSocketName);
  return Invocation{words.control, words.machine, words.json, std::move(chosen)};
}

}  // namespace periplex::apps
