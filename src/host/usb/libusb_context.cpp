// SPDX-License-Identifier: Apache-2.0
#include "host/usb/libusb_context.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>

namespace periplex::host {

LibusbContext make_libusb_context(bool discovery, int& error) {
  if (!discovery) libusb_set_option(nullptr, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
  // Signals are the main thread's; a thread of libusb's inherits the mask it is started with.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  libusb_context* context = nullptr;
  error = libusb_init(&context);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return nullptr;
  // What matters comes back as an error code.
  libusb_set_option(context, LIBUSB_OPTION_LOG_LEVEL, LIBUSB_LOG_LEVEL_NONE);
  return LibusbContext(context);
}

LibusbEvents::LibusbEvents(EventLoop& loop, libusb_context* context) : loop_(loop), context_(context) {
  libusb_set_pollfd_notifiers(context_, on_added, on_removed, this);
  watch_all();
}

LibusbEvents::~LibusbEvents() {
  libusb_set_pollfd_notifiers(context_, nullptr, nullptr, nullptr);
}

void LibusbEvents::watch_all() {
  const libusb_pollfd** all = libusb_get_pollfds(context_);
  if (all == nullptr) return;
  for (const libusb_pollfd** each = all; *each != nullptr; ++each) watch((*each)->fd, (*each)->events);
  libusb_free_pollfds(all);
}

void LibusbEvents::watch(int descriptor, short events) {
  const std::uint32_t wanted = ((events & POLLIN) != 0 ? EPOLLIN : 0u) | ((events & POLLOUT) != 0 ? EPOLLOUT : 0u);
  watches_.erase(descriptor);
  watches_[descriptor] = loop_.watch(descriptor, wanted, [this](std::uint32_t) {
    if (paused_) return;
    timeval now{};
    libusb_handle_events_timeout_completed(context_, &now, nullptr);
  });
}

void LibusbEvents::resume() {
  if (!paused_) return;
  paused_ = false;
  watch_all();
}

void LibusbEvents::on_added(int descriptor, short events, void* self) {
  auto& events_of = *static_cast<LibusbEvents*>(self);
  if (!events_of.paused_) events_of.watch(descriptor, events);
}

void LibusbEvents::on_removed(int descriptor, void* self) {
  static_cast<LibusbEvents*>(self)->watches_.erase(descriptor);
}

}  // namespace periplex::host
