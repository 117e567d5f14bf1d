// SPDX-License-Identifier: Apache-2.0
#include "attachment/report_source.hpp"

#include <ranges>
#include <utility>

namespace periplex::attachment {

using usb::Status;

ReportSource::~ReportSource() {
  for (const usb::TransferId id : std::views::reverse(asked_)) requests_.drop(id);
}

void ReportSource::poll(const Poll& message) {
  if (message.generation != settings_.generation) pushed_ = 0;
  settings_ = message;
  polling_ = true;
  ask();
}

void ReportSource::stop() {
  if (!std::exchange(polling_, false)) return;
  for (const usb::TransferId id : std::views::reverse(asked_)) requests_.cancel(id);
}

void ReportSource::ask() {
  while (polling_ && asked_.size() < kRequests) {
    // What is with the device already may bring a report each.
    if (settings_.limit - pushed_ <= asked_.size()) {
      ++counters_.reports_held_up;
      return;
    }
    asked_.push_back(requests_.submit(
        {.endpoint = endpoint_,
         .direction = usb::Direction::in,
         .data = usb::TransferData::room(settings_.packet_bytes)},
        [this, generation = settings_.generation](const usb::Transfer& transfer, usb::Completion completion) {
          on_answer(transfer, completion, generation);
        }));
  }
}

void ReportSource::on_answer(const usb::Transfer& transfer, usb::Completion completion, std::uint32_t generation) {
  std::erase(asked_, transfer.id());
  const bool moved = completion.status == Status::ok || completion.actual != 0;
  const bool withdrawn = completion.status == Status::cancelled || completion.status == Status::disconnected;
  // Of what fails after the first failure, or because it was cancelled, the worker need not hear.
  const bool tells = withdrawn ? moved : moved || polling_;
  if (tells && generation == settings_.generation) {
    const Status status = withdrawn ? Status::ok : completion.status;
    if (status != Status::ok) polling_ = false;
    ++pushed_;
    ++counters_.reports;
    const Bytes data = transfer.data.copy(completion.actual);
    push_({.endpoint = endpoint_, .status = status, .generation = generation, .data = data});
  }
  ask();
}

}  // namespace periplex::attachment
