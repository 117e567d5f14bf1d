// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/commands.hpp"

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <thread>
#include <vector>

#include "apps/files.hpp"
#include "apps/open_file.hpp"
#include "apps/periplex/browse.hpp"
#include "apps/periplex/completion.hpp"
#include "apps/periplex/doctor.hpp"
#include "apps/periplex/serve.hpp"
#include "apps/periplex/tables.hpp"
#include "apps/places.hpp"
#include "control/json.hpp"
#include "machine/peripheral.hpp"
#include "usb/device/key_names.hpp"

namespace periplex::apps {
namespace {

constexpr unsigned kBusy = 429;
constexpr auto kPause = std::chrono::milliseconds(20);
constexpr int kMostPauses = 3000;  // a minute
constexpr auto kConnectTime = std::chrono::seconds(10);
/// As much as a keyboard surely keeps at once, so that a text of any length is sent piece by piece.
constexpr std::size_t kTextPiece = 1000;

std::unexpected<Failure> failure(std::string text, std::string advice) {
  return std::unexpected(Failure{std::move(text), std::move(advice)});
}

/// `path` below the peripheral `id`, or the one that needs no id.
std::string input_target(std::string_view id, std::string_view path) {
  if (id.empty()) return fmt::format("/v1/{}", path);
  return fmt::format("/v1/peripherals/{}/{}", control::http::encode(id), path);
}

Result shown(std::expected<std::string, Failure> answer, std::string text = {}) {
  if (!answer) return std::unexpected(std::move(answer.error()));
  return Shown{std::move(*answer), std::move(text), 0};
}

}  // namespace

std::expected<control::http::Response, Failure> Commands::exchange(std::string_view method, std::string_view target,
                                                                   std::string_view body, std::span<const int> files) {
  if (!client_) {
    auto client = control::Client::connect(invocation_.control);
    if (!client) return failure(std::move(client.error().text), std::move(client.error().advice));
    client_ = std::move(*client);
  }
  auto answer = client_->call(method, target, body, files);
  if (!answer) return failure(std::move(answer.error().text), std::move(answer.error().advice));
  return std::move(*answer);
}

std::expected<std::string, Failure> Commands::ask(std::string_view method, std::string_view target,
                                                  std::string_view body, std::span<const int> files) {
  auto answer = exchange(method, target, body, files);
  if (!answer) return std::unexpected(std::move(answer.error()));
  if (answer->status < 300) return std::move(answer->body);
  return failure(text_member(answer->body, "error"), text_member(answer->body, "advice"));
}

std::expected<std::string, Failure> Commands::ask_patiently(std::string_view target, std::string_view body) {
  for (int pauses = 0;; ++pauses) {
    auto answer = exchange("POST", target, body, {});
    if (!answer) return std::unexpected(std::move(answer.error()));
    if (answer->status < 300) return std::move(answer->body);
    if (answer->status != kBusy || pauses == kMostPauses) {
      return failure(text_member(answer->body, "error"), text_member(answer->body, "advice"));
    }
    std::this_thread::sleep_for(kPause);
  }
}

Result Commands::operator()(const command::List&) {
  auto answer = ask("GET", "/v1/peripherals");
  std::string text = answer ? peripherals_table(*answer) : "";
  return shown(std::move(answer), std::move(text));
}

Result Commands::operator()(const command::Attach& attach) {
  auto description = machine::parse_specification(attach.specification);
  if (!description) return failure(std::move(description.error().text), std::move(description.error().advice));
  if (const auto warning = open_warning(*description)) std::fprintf(stderr, "periplex: %s\n", warning->c_str());
  const auto files = open_files(*description);
  if (!files) return failure(files.error().text, files.error().advice);
  std::vector<int> descriptors;
  for (const UniqueFd& file : *files) descriptors.push_back(file.get());
  auto answer = ask("POST", "/v1/peripherals", control::to_json(*description), descriptors);
  if (answer && description->is_remote() && !description->is_dialled_in())
    answer = wait_for_far_end(text_member(*answer, "id"));
  std::string text = answer ? peripheral_line(*answer) : "";
  return shown(std::move(answer), std::move(text));
}

std::expected<std::string, Failure> Commands::wait_for_far_end(const std::string& id) {
  const std::string target = fmt::format("/v1/peripherals/{}", control::http::encode(id));
  const auto deadline = std::chrono::steady_clock::now() + kConnectTime;
  for (;;) {
    auto answer = ask("GET", target);
    if (!answer || std::chrono::steady_clock::now() > deadline) return answer;
    const std::string state = text_member(*answer, "state");
    if (state == "gone") {
      (void)ask("DELETE", target);
      return failure(fmt::format("{} was not plugged in: {}", id, text_member(*answer, "why")),
                     "see the server's log, too");
    }
    if (state != "connecting") return answer;
    std::this_thread::sleep_for(kPause);
  }
}

Result Commands::operator()(const command::Detach& detach) {
  return shown(ask("DELETE", fmt::format("/v1/peripherals/{}", control::http::encode(detach.id))));
}

Result Commands::operator()(const command::Eject& eject) {
  return shown(ask("POST", input_target(eject.id, eject.force ? "eject?force=true" : "eject")));
}

Result Commands::operator()(const command::Insert& insert) {
  // Whether the disk is read-only is known to the machine only: an image that cannot be written will do for that.
  auto image = open_image(insert.image, false);
  if (!image) image = open_image(insert.image, true);
  if (!image) return failure(std::move(image.error().text), std::move(image.error().advice));
  const int fd = image->get();
  return shown(ask("POST", input_target(insert.id, "insert"), control::text_json("image", absolute_path(insert.image)),
                   {&fd, 1}));
}

Result Commands::operator()(const command::Type& type) {
  if (const auto strokes = usb::device::strokes_for(type.text); !strokes) {
    return failure(fmt::format("a US keyboard has no key for \"{}\"", strokes.error().name),
                   "nothing was typed; use characters of a US keyboard");
  }
  const std::string target = input_target(type.to, "type");
  std::expected<std::string, Failure> answer = "{}";
  for (std::size_t at = 0; answer && at < type.text.size(); at += kTextPiece) {
    answer = ask_patiently(target, control::text_json("text", std::string_view(type.text).substr(at, kTextPiece)));
  }
  return shown(std::move(answer));
}

Result Commands::operator()(const command::Key& key) {
  return shown(ask_patiently(input_target(key.to, "keys"), control::keys_json(key.chords)));
}

Result Commands::operator()(const command::Pointer& pointer) {
  return shown(ask_patiently(input_target(pointer.to, "pointer"), pointer.body));
}

Result Commands::operator()(const command::Stats& stats) {
  if (stats.prometheus) {
    auto metrics = ask("GET", "/v1/metrics");
    if (!metrics) return std::unexpected(std::move(metrics.error()));
    std::string json = control::text_json("metrics", *metrics);
    metrics->erase(metrics->find_last_not_of('\n') + 1);  // one is added when it is shown
    return Shown{std::move(json), std::move(*metrics), 0};
  }
  auto answer = ask("GET", "/v1/statistics");
  std::string text = answer ? statistics_table(*answer) : "";
  return shown(std::move(answer), std::move(text));
}

Result Commands::operator()(const command::CaptureStart& start) {
  auto file = open_capture(start.file);
  if (!file) return failure(std::move(file.error().text), std::move(file.error().advice));
  const int fd = file->get();
  return shown(ask("POST", "/v1/capture/start", control::text_json("name", absolute_path(start.file)), {&fd, 1}));
}

Result Commands::operator()(const command::CaptureStop&) {
  auto answer = ask("POST", "/v1/capture/stop");
  std::string text;
  if (answer) {
    text = fmt::format("{}: {} packets", text_member(*answer, "name"), number_member(*answer, "packets").value_or(0));
    const std::uint64_t dropped = number_member(*answer, "dropped").value_or(0);
    if (dropped > 0) text += fmt::format(", {} dropped", dropped);
  }
  return shown(std::move(answer), std::move(text));
}

Result Commands::operator()(const command::Args& args) {
  auto answer = ask("GET", fmt::format("/v1/arguments?vmm={}&memory={}", control::http::encode(args.vmm),
                                       control::http::encode(args.memory)));
  std::string text = answer ? text_member(*answer, "text") : "";
  return shown(std::move(answer), std::move(text));
}

Result Commands::operator()(const command::Doctor& doctor) {
  const auto machine = ask("GET", "/v1/machine");
  const auto gate = read_small_file(runtime_root() + "/gate.json");
  return examine({.qemu = doctor.qemu,
                  .control = invocation_.control,
                  .machine = machine ? std::optional(*machine) : std::nullopt,
                  .no_machine = machine ? Failure{} : machine.error(),
                  .gate = gate ? gate->value_or("") : ""});
}

Result Commands::operator()(const command::Completion& completion) {
  const std::string script = completion_script(completion.shell);
  return Shown{control::text_json("script", script), script, 0};
}

Result Commands::operator()(const command::ServeUsbip& serve) {
  return serve_usbip(serve, invocation_.json);
}

Result Commands::operator()(const command::ServeUsbredir& serve) {
  return serve_usbredir(serve, invocation_.json);
}

Result Commands::operator()(const command::ShowUsbip& show) {
  return browse_usbip(show);
}

Result Commands::operator()(const command::Version&) {
  return Shown{control::text_json("version", PERIPLEX_VERSION), "periplex " PERIPLEX_VERSION, 0};
}

}  // namespace periplex::apps
