// SPDX-License-Identifier: Apache-2.0
#include "control/router.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/testing/fake_operations.hpp"

namespace periplex::control {
namespace {

using machine::Reason;
using machine::testing::FakeOperations;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace pointer = machine::pointer;

class RouterTest : public ::testing::Test {
 protected:
  http::Response ask(std::string method, std::string path, std::string body = {}, bool with_file = false) {
    http::Request request{
        .method = std::move(method), .path = std::move(path), .parameters = {}, .body = std::move(body)};
    const std::size_t question = request.path.find('?');
    if (question != std::string::npos) {
      const std::string query = request.path.substr(question + 1);
      request.path.resize(question);
      request.parameters.push_back({query.substr(0, query.find('=')), query.substr(query.find('=') + 1)});
    }
    std::vector<UniqueFd> files;
    if (with_file) files.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
    return router.answer(request, std::move(files));
  }

  FakeOperations fake;
  Router router{fake};
};

TEST_F(RouterTest, TellsWhatTheMachineIs) {
  fake.machine = {
      .name = "vm1",
      .process = 7,
      .control_socket = "/c",
      .controllers =
          {{.name = "ehci-companion1", .kind = "uhci", .socket = "/e1", .companion_of = "ehci", .ports = {.usb1 = 2}},
           {.name = "ehci", .kind = "ehci", .socket = "/e", .ports = {.usb2 = 2}},
           {.name = "xhci",
            .kind = "xhci",
            .socket = "/x",
            .ports = {.usb2 = 4, .usb3 = 3},
            .client = {true, 1 << 20}}},
      .capture = machine::CaptureView{"f", 2, 0},
      .confinement = sandbox::Confinement{.in_force = {"a"}, .missing = {"b: why"}}};
  const http::Response answer = ask("GET", "/v1/machine");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.body,
            R"({"name":"vm1","pid":7,"uptime_seconds":0,"control":"/c","controllers":[)"
            R"({"name":"ehci-companion1","kind":"uhci","socket":"/e1","companion_of":"ehci","ports":{"usb1":2},)"
            R"("client":{"connected":false,"shared_bytes":0}},)"
            R"({"name":"ehci","kind":"ehci","socket":"/e","ports":{"usb2":2},)"
            R"("client":{"connected":false,"shared_bytes":0}},)"
            R"({"name":"xhci","kind":"xhci","socket":"/x","ports":{"usb2":4,"usb3":3},)"
            R"("client":{"connected":true,"shared_bytes":1048576}}],)"
            R"("confinement":{"in_force":["a"],"missing":["b: why"]},)"
            R"("capture":{"name":"f","packets":2,"dropped":0}})");
}

TEST_F(RouterTest, ListsPeripheralsWithWhatTheirKindHas) {
  fake.plugged.push_back(
      {.description = machine::parse_specification("storage,id=d,image=/i,removable=true,controller=x").value(),
       .port = 5,
       .configured = true,
       .size = 512,
       .leds = {},
       .terminal = {}});
  fake.plugged.push_back({.description = machine::parse_specification("keyboard,id=k,controller=u").value(),
                          .port = 1,
                          .leds = std::vector<std::string>{"num_lock"},
                          .terminal = {}});
  EXPECT_EQ(
      ask("GET", "/v1/peripherals").body,
      R"({"devices":[{"id":"d","kind":"storage","speed":"super","controller":"x","port":5,"configured":true,"image":"/i",)"
      R"("size":512,"readonly":false,"removable":true,"transport":"bulk-only","medium":true,"locked":false},)"
      R"({"id":"k","kind":"keyboard","speed":"full","controller":"u","port":1,"configured":false,"leds":["num_lock"]}]})");
  EXPECT_THAT(ask("GET", "/v1/peripherals/k").body, HasSubstr("num_lock"));
  EXPECT_EQ(ask("GET", "/v1/peripherals/x").status, 404u);
}

TEST_F(RouterTest, ShowsTheFarEndsOfSerialPortsAndSoundCards) {
  fake.plugged.push_back(
      {.description = machine::parse_specification("serial,id=s,link=/l,controller=x").value(),
       .port = 2,
       .leds = {},
       .terminal = machine::TerminalView{.path = "/dev/pts/7", .open = true, .ready = false, .bit_rate = 115200}});
  fake.plugged.push_back({.description = machine::parse_specification("sound,id=c,capture=/a,controller=x").value(),
                          .port = 3,
                          .leds = {},
                          .terminal = {}});
  EXPECT_EQ(ask("GET", "/v1/peripherals/s").body,
            R"({"id":"s","kind":"serial","speed":"high","controller":"x","port":2,"configured":false,)"
            R"("terminal":{"path":"/dev/pts/7","link":"/l","open":true,"ready":false,"bit_rate":115200}})");
  EXPECT_EQ(ask("GET", "/v1/peripherals/c").body,
            R"({"id":"c","kind":"sound","speed":"full","controller":"x","port":3,"configured":false,"capture":"/a"})");
}

TEST_F(RouterTest, TellsHowItStandsWithWhatIsSomewhereElse) {
  fake.plugged.push_back({.description = machine::parse_specification("usbip,id=u,host=h,busid=1-1").value(),
                          .leds = {},
                          .terminal = {},
                          .remote = machine::RemoteView{machine::RemoteState::gone, "lost"}});
  EXPECT_EQ(ask("GET", "/v1/peripherals/u").body,
            R"({"id":"u","kind":"usbip","speed":null,"controller":"","port":0,"configured":false,"host":"h",)"
            R"("busid":"1-1","state":"gone","why":"lost"})");
  EXPECT_THAT(ask("POST", "/v1/peripherals", R"({"kind":"usbip","host":"h","busid":"1-1"})").body,
              HasSubstr("the connection to a remote peripheral"));
}

TEST_F(RouterTest, NamesWhereAUsbredirDeviceIs) {
  fake.plugged.push_back({.description = machine::parse_specification("usbredir,id=u,host=h:4000").value(),
                          .leds = {},
                          .terminal = {},
                          .remote = machine::RemoteView{machine::RemoteState::connecting, {}}});
  EXPECT_EQ(ask("GET", "/v1/peripherals/u").body,
            R"({"id":"u","kind":"usbredir","speed":null,"controller":"","port":0,"configured":false,)"
            R"("host":"h:4000","state":"connecting"})");
}

TEST_F(RouterTest, EveryFileThatAPeripheralStandsOnHasToCome) {
  EXPECT_THAT(ask("POST", "/v1/peripherals", R"({"kind":"serial"})").body, HasSubstr("a serial port's terminal"));
  EXPECT_EQ(ask("POST", "/v1/peripherals", R"({"kind":"serial"})", true).status, 201u);
  EXPECT_EQ(ask("POST", "/v1/peripherals", R"({"kind":"sound","playback":"a","capture":"b"})", true).status, 400u);
  EXPECT_EQ(ask("POST", "/v1/peripherals", R"({"kind":"sound","playback":"a"})", true).status, 201u);
  EXPECT_THAT(fake.asked, ElementsAre("attach serial  +file", "attach sound  +file"));
}

TEST_F(RouterTest, AttachesADiskWithItsDescriptor) {
  const http::Response answer =
      ask("POST", "/v1/peripherals", R"({"kind":"storage","id":"d","image":"x","readonly":true})", true);
  EXPECT_EQ(answer.status, 201u);
  EXPECT_THAT(fake.asked, ElementsAre("attach storage d +file"));
  EXPECT_TRUE(fake.plugged[0].description.storage()->readonly);
}

TEST_F(RouterTest, ADiskWithoutADescriptorIsRefusedUnlessItsMediumIsRemovable) {
  EXPECT_EQ(ask("POST", "/v1/peripherals", R"({"kind":"storage"})").status, 400u);
  EXPECT_TRUE(fake.asked.empty());
  EXPECT_EQ(ask("POST", "/v1/peripherals", R"({"kind":"storage","removable":true})").status, 201u);
}

TEST_F(RouterTest, PassesEveryOperationOn) {
  EXPECT_EQ(ask("DELETE", "/v1/peripherals/d").status, 200u);
  EXPECT_EQ(ask("POST", "/v1/peripherals/d/eject").status, 200u);
  EXPECT_EQ(ask("POST", "/v1/peripherals/d/eject?force=true").status, 200u);
  EXPECT_EQ(ask("POST", "/v1/peripherals/d/insert", R"({"image":"i"})", true).status, 200u);
  EXPECT_EQ(ask("POST", "/v1/peripherals/k/type", R"({"text":"hi"})").status, 200u);
  EXPECT_EQ(ask("POST", "/v1/type", R"({"text":"hi"})").status, 200u);
  EXPECT_EQ(ask("POST", "/v1/keys", R"({"keys":["ctrl+c","a"]})").status, 200u);
  EXPECT_EQ(ask("POST", "/v1/capture/start", R"({"name":"f"})", true).status, 200u);
  EXPECT_THAT(ask("POST", "/v1/capture/stop").body, HasSubstr(R"("packets":3)"));
  EXPECT_THAT(fake.asked, ElementsAre("detach d", "eject d", "eject d by force", "insert d i +file", "type k hi",
                                      "type - hi", "press - ctrl+c a", "capture f +file", "stop capture"));
}

TEST_F(RouterTest, PointerActionsComeInAFixedOrder) {
  EXPECT_EQ(
      ask("POST", "/v1/pointer", R"({"wheel":-2,"click":"left","x":1,"y":32767,"buttons":["right","middle"]})").status,
      200u);
  ASSERT_EQ(fake.pointed.size(), 4u);
  EXPECT_EQ(std::get<pointer::MoveTo>(fake.pointed[0]).y, 32767u);
  EXPECT_EQ(std::get<pointer::Hold>(fake.pointed[1]).buttons, pointer::kRight | pointer::kMiddle);
  EXPECT_EQ(std::get<pointer::Click>(fake.pointed[2]).buttons, pointer::kLeft);
  EXPECT_EQ(std::get<pointer::Scroll>(fake.pointed[3]).notches, -2);
  EXPECT_EQ(ask("POST", "/v1/pointer", R"({"dx":-5,"dy":3})").status, 200u);
  EXPECT_EQ(std::get<pointer::MoveBy>(fake.pointed[0]).x, -5);
}

TEST_F(RouterTest, BadBodiesAreRefusedBeforeTheMachineIsAsked) {
  const std::pair<const char*, const char*> bad[] = {
      {"/v1/type", ""},
      {"/v1/type", "[]"},
      {"/v1/type", "{\"text\":1}"},
      {"/v1/type", "{\"text\":\"a\",\"more\":1}"},
      {"/v1/keys", "{\"keys\":\"a\"}"},
      {"/v1/keys", "{\"keys\":[1]}"},
      {"/v1/pointer", "{}"},
      {"/v1/pointer", "{\"x\":1}"},
      {"/v1/pointer", "{\"x\":1,\"y\":32768}"},
      {"/v1/pointer", "{\"x\":-1,\"y\":0}"},
      {"/v1/pointer", "{\"x\":1.5,\"y\":0}"},
      {"/v1/pointer", "{\"click\":\"up\"}"},
      {"/v1/pointer", "{\"buttons\":\"left\"}"},
      {"/v1/pointer", "{\"wheel\":1000}"},
      {"/v1/peripherals", "{}"},
      {"/v1/peripherals", "{\"kind\":\"printer\"}"},
      {"/v1/peripherals", "{\"kind\":\"keyboard\",\"id\":{}}"},
      {"/v1/peripherals", "{\"kind\":\"keyboard\",\"image\":\"x\"}"},
      {"/v1/capture/start", "{\"name\":\"no descriptor\"}"},
      {"/v1/peripherals/d/insert", "{\"image\":\"no descriptor\"}"},
  };
  for (const auto& [path, body] : bad) {
    const http::Response answer = ask("POST", path, body);
    EXPECT_EQ(answer.status, 400u) << path << body;
    EXPECT_THAT(answer.body, HasSubstr("\"advice\":")) << path << body;
  }
  EXPECT_TRUE(fake.asked.empty());
}

TEST_F(RouterTest, WhatTheMachineRefusesBecomesTheRightStatus) {
  const std::pair<Reason, unsigned> statuses[] = {{Reason::invalid, 400},
                                                  {Reason::not_found, 404},
                                                  {Reason::conflict, 409},
                                                  {Reason::busy, 429},
                                                  {Reason::failed, 500}};
  for (const auto& [reason, status] : statuses) {
    fake.refusal = machine::Refusal{reason, "no", "do this"};
    const http::Response answer = ask("POST", "/v1/peripherals/x/eject");
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, R"({"error":"no","advice":"do this"})");
  }
}

TEST_F(RouterTest, UnknownPathsAndMethodsSaySo) {
  for (const char* path :
       {"/", "", "/v1", "/v1/", "/v2/machine", "/v1/machine/", "/v1/peripherals//eject", "v1/machine"}) {
    EXPECT_EQ(ask("GET", path).status, 404u) << path;
  }
  const http::Response answer = ask("PUT", "/v1/peripherals");
  EXPECT_EQ(answer.status, 405u);
  EXPECT_EQ(answer.allow, "GET, POST");
}

TEST_F(RouterTest, GivesTheArgumentsOfAMonitor) {
  fake.machine.controllers = {{.name = "x", .socket = "/x.sock"}, {.name = "y", .socket = "/y.sock"}};
  EXPECT_THAT(ask("GET", "/v1/arguments?vmm=qemu").body, HasSubstr("size=2G,share=on"));
  EXPECT_THAT(ask("GET", "/v1/arguments?vmm=cloud-hypervisor").body, HasSubstr("socket=/x.sock socket=/y.sock"));
  EXPECT_EQ(ask("GET", "/v1/arguments").status, 400u);
  EXPECT_EQ(ask("GET", "/v1/arguments?vmm=xen").status, 400u);
}

TEST_F(RouterTest, StatisticsNameEndpointsByAddress) {
  fake.counted.wakeups = 4;
  fake.counted.controllers = {{.name = "x",
                               .clients = 1,
                               .messages = 9,
                               .received_bytes = 10,
                               .sent_bytes = 11,
                               .interrupts = 12,
                               .mapped_bytes = 13}};
  fake.counted.peripherals = {{.id = "d",
                               .controller = "x",
                               .endpoints = {{.endpoint = usb::EndpointAddress(0x81),
                                              .type = usb::TransferType::bulk,
                                              .counters = {.guest_packets = 1024, .requests = 2, .bytes = 65536}}}}};
  EXPECT_EQ(ask("GET", "/v1/statistics").body,
            R"({"loop":{"wakeups":4},"controllers":[{"name":"x","clients":1,"messages":9,"received_bytes":10,)"
            R"("sent_bytes":11,"interrupts":12,"mapped_bytes":13}],"devices":[{"id":"d","controller":"x",)"
            R"("endpoints":[{"endpoint":"0x81","type":"bulk","guest_packets":1024,"data_sets":0,"requests":2,)"
            R"("resubmissions":0,"cancellations":0,"bytes":65536,"errors":0,"missed_intervals":0}]}]})");
}

TEST_F(RouterTest, StatisticsShowWhatASessionWithASeatHasCounted) {
  fake.counted.peripherals = {{.id = "k", .controller = "x", .session = {{"reports", 7}, {"holds", 1}}}};
  EXPECT_THAT(ask("GET", "/v1/statistics").body,
              HasSubstr(R"({"id":"k","controller":"x","endpoints":[],"session":{"reports":7,"holds":1}})"));
}

TEST_F(RouterTest, MetricsAreTextForPrometheus) {
  fake.machine.name = "vm1";
  const http::Response answer = ask("GET", "/v1/metrics");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("periplex_uptime_seconds{machine=\"vm1\"} 0\n"));
}

}  // namespace
}  // namespace periplex::control
