// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libusb-1.0/libusb.h>
#include <map>
#include <memory>

#include "loop/event_loop.hpp"

namespace periplex::host {

struct LibusbExit {
  void operator()(libusb_context* context) const { libusb_exit(context); }
};
using LibusbContext = std::unique_ptr<libusb_context, LibusbExit>;

/// A context of libusb. With `discovery` it looks for devices and hears of plugging, on a thread of libusb's own; the
/// first context of a process must be the one that does. Null if libusb cannot be used here; `error` says why.
[[nodiscard]] LibusbContext make_libusb_context(bool discovery, int& error);

/// Lets the loop handle a context's events: libusb's descriptors are watched, and nothing ever waits for them.
class LibusbEvents {
 public:
  LibusbEvents(EventLoop& loop, libusb_context* context);
  LibusbEvents(const LibusbEvents&) = delete;
  LibusbEvents& operator=(const LibusbEvents&) = delete;
  ~LibusbEvents();

  /// Stops handling events until `resume`.
  void pause() { watches_.clear(), paused_ = true; }
  void resume();

 private:
  static void LIBUSB_CALL on_added(int descriptor, short events, void* self);
  static void LIBUSB_CALL on_removed(int descriptor, void* self);
  void watch(int descriptor, short events);
  void watch_all();

  EventLoop& loop_;
  libusb_context* context_;
  std::map<int, std::unique_ptr<EventLoop::Watch>> watches_;
  bool paused_ = false;
};

}  // namespace periplex::host
