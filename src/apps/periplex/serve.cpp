// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/serve.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <memory>

#include "apps/periplex/serving.hpp"
#include "apps/periplex/usbip_server.hpp"
#include "apps/periplex/usbredir_server.hpp"
#include "remote/usbip/operation.hpp"

namespace periplex::apps {
namespace {

void warn(const char* protocol) {
  std::fprintf(stderr,
               "periplex: %s is neither encrypted nor authenticated: whoever reaches this port has what is "
               "served here\n",
               protocol);
}

void say_ready(const UsbipServer& server, const std::string& listen, bool json) {
  std::string list;
  for (std::size_t i = 0; i < server.exports().size(); ++i) {
    const remote::usbip::DeviceRecord& record = server.exports()[i].record;
    const machine::PeripheralView view = server.peripheral(i).view();
    list += json ? fmt::format(R"({}{{"busid":"{}","id":"{}","kind":"{}"}})", i == 0 ? "" : ",", record.bus_id,
                               view.description.id, view.description.kind())
                 : fmt::format("{}: {} ({})\n", record.bus_id, view.description.kind(), view.description.id);
  }
  if (json) {
    std::printf(R"({"ready":true,"listen":"%s","exports":[%s]})"
                "\n",
                listen.c_str(), list.c_str());
  } else {
    std::printf("%sready on %s; on Linux: modprobe vhci-hcd; usbip attach -r HOST -b BUSID\n", list.c_str(),
                listen.c_str());
  }
  std::fflush(stdout);
}

void say_ready(const machine::Plugged& peripheral, const std::string& listen, bool json) {
  const machine::PeripheralView view = peripheral.view();
  std::string line;
  if (json) {
    line = fmt::format(R"({{"ready":true,"listen":"{}","id":"{}","kind":"{}"}})", listen, view.description.id,
                       view.description.kind());
  } else {
    line = fmt::format(
        "{} ({})\nready on {}; in QEMU: -chardev socket,id=redir,host=HOST,port=PORT -device usb-redir,chardev=redir",
        view.description.kind(), view.description.id, listen);
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

Result serve_usbip(const command::ServeUsbip& serve, bool json) {
  Serving serving;
  auto server = std::make_unique<UsbipServer>(serving.loop());
  for (const std::string& specification : serve.specifications) {
    auto made = serving.make(specification);
    if (!made) return std::unexpected(std::move(made.error()));
    if (auto added = server->add(std::move(*made)); !added) {
      return std::unexpected(Failure{std::move(added.error().text), std::move(added.error().advice)});
    }
  }
  auto listening = Serving::listen(serve.listen, remote::usbip::kDefaultPort);
  if (!listening) return std::unexpected(std::move(listening.error()));
  server->serve(std::move(*listening));
  warn("USB/IP");
  say_ready(*server, serve.listen, json);
  serving.run(server->keyboard());
  server.reset();
  serving.finish();
  return Shown{"", "", 0};
}

Result serve_usbredir(const command::ServeUsbredir& serve, bool json) {
  Serving serving;
  auto made = serving.make(serve.specification);
  if (!made) return std::unexpected(std::move(made.error()));
  auto listening = Serving::listen(serve.listen, remote::usbredir::kDefaultPort);
  if (!listening) return std::unexpected(std::move(listening.error()));
  auto server = std::make_unique<UsbredirServer>(serving.loop(), std::move(*made));
  server->serve(std::move(*listening));
  warn("usbredir");
  say_ready(server->peripheral(), serve.listen, json);
  serving.run(server->peripheral().is_keyboard() ? &server->peripheral() : nullptr);
  server.reset();
  serving.finish();
  return Shown{"", "", 0};
}

}  // namespace periplex::apps
