// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/gate_process.hpp"

#include <array>
#include <fmt/format.h>
#include <sys/socket.h>
#include <utility>

#include "base/log.hpp"

namespace periplex::apps {
namespace {

// Numbers that the gate's descriptors have there: above those that we have here.
constexpr int kListening = 100;
constexpr int kLine = 101;
constexpr int kWorkers = 102;
constexpr int kRoot = 103;
constexpr int kDatagrams = 104;

Bytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

/// Ours, and its.
std::pair<UniqueFd, UniqueFd> make_sockets(int type) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return {};
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

GateProcess::GateProcess(EventLoop& loop, Plan plan, Events events)
    : loop_(loop), plan_(std::move(plan)), events_(std::move(events)), child_(loop, [this] {
        Child::Plan child{.name = "the gate", .arguments = [this] { return arguments(plan_); }};
        child.descriptors = [this] { return descriptors(); };
        child.started = [this] {
          its_line_.reset();
          its_workers_.reset();
          events_.started();
        };
        return child;
      }()) {}

std::vector<std::string> GateProcess::arguments(const Plan& plan) {
  std::vector<std::string> words{plan.program,          "--listen",  std::to_string(kListening), "--parent",
                                 std::to_string(kLine), "--workers", std::to_string(kWorkers)};
  const auto add = [&words](const char* option, std::string value) {
    words.insert(words.end(), {option, std::move(value)});
  };
  if (plan.datagrams) add("--datagrams", std::to_string(kDatagrams));
  if (plan.root) add("--root", std::to_string(kRoot));
  if (plan.user) add("--user", fmt::format("{}:{}", plan.user->user, plan.user->group));
  return words;
}

std::vector<std::pair<int, int>> GateProcess::descriptors() {
  auto [line, its_line] = make_sockets(SOCK_STREAM);
  auto [workers, its_workers] = make_sockets(SOCK_SEQPACKET);
  if (!line || !workers) return {};
  its_line_ = std::move(its_line);
  its_workers_ = std::move(its_workers);
  lines_ = {};
  line_ = std::make_unique<ByteStream>(loop_, std::move(line),
                                       ByteStream::Events{.received = [this](ByteView bytes) { said(bytes); },
                                                          .closed = [this](const std::string&) { drop_line(); },
                                                          .drained = {}});
  workers_ = std::make_unique<MessageSocket>(
      loop_, std::move(workers),
      MessageSocket::Events{.received = [this](std::string_view machine, UniqueFd) { wants_worker(machine); },
                            .closed = [this] { loop_.defer([old = std::move(workers_)] {}); }});
  std::vector<std::pair<int, int>> given{
      {plan_.listening.get(), kListening}, {its_line_.get(), kLine}, {its_workers_.get(), kWorkers}};
  if (plan_.datagrams) given.emplace_back(plan_.datagrams.get(), kDatagrams);
  if (plan_.root) given.emplace_back(plan_.root.get(), kRoot);
  return given;
}

void GateProcess::say(std::string_view line) {
  if (line_) line_->send(bytes_of(line));
}

void GateProcess::said(ByteView bytes) {
  if (lines_.feed(bytes, [this](std::string_view line) { reported(line); })) return;
  log::error("apps", "the gate has said what has no end");
  drop_line();
}

void GateProcess::reported(std::string_view line) {
  auto report = gate::parse_report(line);
  if (report) return events_.reported(std::move(*report));
  if (limit_.allow(loop_.now())) log::error("apps", "the gate has said what it should not: " + report.error());
}

void GateProcess::wants_worker(std::string_view machine) {
  const UniqueFd socket = events_.connect_worker(machine);
  // What finds no room is asked for again.
  if (socket && workers_) (void)workers_->send(machine, socket.get());
}

/// Without it the gate ends, and is started again.
void GateProcess::drop_line() {
  loop_.defer([old = std::move(line_)] {});
}

}  // namespace periplex::apps
