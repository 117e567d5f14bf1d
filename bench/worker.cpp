// SPDX-License-Identifier: Apache-2.0
#include "bench/worker.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "base/log.hpp"
#include "bench/memory_device.hpp"
#include "loop/unix_listener.hpp"
#include "usb/xhci/pci_function.hpp"
#include "vfio_user/server.hpp"

namespace periplex::bench {
namespace {

std::string make_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "periplex-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  return name;
}

UniqueFd listen(const std::string& path) {
  auto socket = listen_unix({.path = path});
  if (!socket) throw std::runtime_error(socket.error());
  return std::move(*socket);
}

void serve(const WorkerPlan& plan, UniqueFd& listening) {
  log::set_level(log::Level::warning);
  EventLoop loop;
  loop.set_max_spin(plan.spin);
  vfio_user::Server server(loop, std::move(listening));
  usb::xhci::PciFunction function({}, server.memory(), server.interrupts(), loop);
  MemoryDevice device(loop, plan.device_size);
  if (!function.bus().attach(device)) throw std::runtime_error("the device found no port");
  server.serve(function);
  loop.run();
}

}  // namespace

Worker::Worker(const WorkerPlan& plan)
    : directory_(make_directory()),
      path_(directory_ + "/socket"),
      listening_(listen(path_)),
      process_(plan.processor, [&] { serve(plan, listening_); }) {
  listening_.reset();  // the child's
}

Worker::~Worker() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace periplex::bench
