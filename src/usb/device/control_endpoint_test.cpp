// SPDX-License-Identifier: Apache-2.0
#include "usb/device/control_endpoint.hpp"

#include <gtest/gtest.h>
#include <map>

namespace periplex::usb::device {
namespace {

constexpr std::uint8_t code(StandardRequest request) {
  return static_cast<std::uint8_t>(request);
}
constexpr EndpointAddress kBulkIn{0x81};

DeviceDescription two_interfaces() {
  DeviceDescription device;
  device.product = "Tested";
  device.remote_wake_up = true;
  const EndpointDescription bulk{.address = kBulkIn};
  const InterfaceDescription first{.number = 0, .endpoints = {bulk}};
  InterfaceDescription second = first;
  second.alternate_setting = 1;
  const InterfaceDescription third{.number = 1};
  device.interfaces = {first, second, third};
  return device;
}

/// The rest of a device: one endpoint while configured; remembers what it was told.
class RecordedFunction final : public ControlEndpoint::Function {
 public:
  ControlResult on_class_request(const SetupPacket& setup, ByteView) override {
    class_requests.push_back(setup);
    return Bytes{std::byte{0x42}};
  }
  [[nodiscard]] std::optional<Bytes> class_descriptor(const SetupPacket& setup) const override {
    if (setup.value != 0x2200) return std::nullopt;
    return Bytes(3);
  }
  void set_configuration(std::uint8_t value) override {
    configurations.push_back(value);
    endpoints.clear();
    if (value != 0) endpoints[kBulkIn] = false;
  }
  void set_interface(std::uint8_t number, std::uint8_t alternate_setting) override {
    interfaces.emplace_back(number, alternate_setting);
  }
  [[nodiscard]] std::optional<bool> halted(EndpointAddress endpoint) const override {
    const auto found = endpoints.find(endpoint);
    return found == endpoints.end() ? std::nullopt : std::optional(found->second);
  }
  bool set_halted(EndpointAddress endpoint, bool halted) override { return endpoints[endpoint] = halted, true; }

  std::vector<SetupPacket> class_requests;
  std::vector<std::uint8_t> configurations;
  std::vector<std::pair<int, int>> interfaces;
  std::map<EndpointAddress, bool> endpoints;
};

class ControlEndpointTest : public ::testing::TestWithParam<Speed> {
 protected:
  /// What a request is answered with, as hexadecimal text.
  std::string ask(std::uint8_t request_type, StandardRequest request, unsigned value, unsigned index, unsigned length,
                  ByteView data = {}) {
    const auto result = control.handle({request_type, code(request), static_cast<std::uint16_t>(value),
                                        static_cast<std::uint16_t>(index), static_cast<std::uint16_t>(length)},
                                       data);
    return result ? hex(*result) : "STALL";
  }
  void configure() { ASSERT_EQ(ask(0x00, StandardRequest::set_configuration, 1, 0, 0), ""); }
  [[nodiscard]] static bool usb3() { return is_usb3(GetParam()); }

  DeviceDescription description = two_interfaces();
  DescriptorSet descriptors{description, GetParam()};
  RecordedFunction function;
  ControlEndpoint control{description, descriptors, GetParam(), function};
};

TEST_P(ControlEndpointTest, SetAddressTakesSevenBits) {
  EXPECT_EQ(ask(0x00, StandardRequest::set_address, 127, 0, 0), "");
  EXPECT_EQ(ask(0x00, StandardRequest::set_address, 128, 0, 0), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_address, 1, 1, 0), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_address, 1, 0, 1), "STALL");
  EXPECT_EQ(ask(0x01, StandardRequest::set_address, 1, 0, 0), "STALL");
}

TEST_P(ControlEndpointTest, TheConfigurationIsRemembered) {
  EXPECT_EQ(ask(0x80, StandardRequest::get_configuration, 0, 0, 1), "00");
  configure();
  EXPECT_EQ(ask(0x80, StandardRequest::get_configuration, 0, 0, 1), "01");
  EXPECT_EQ(ask(0x00, StandardRequest::set_configuration, 0, 0, 0), "");
  EXPECT_EQ(ask(0x80, StandardRequest::get_configuration, 0, 0, 1), "00");
  EXPECT_EQ(function.configurations, (std::vector<std::uint8_t>{1, 0}));
}

TEST_P(ControlEndpointTest, AnUnknownConfigurationChangesNothing) {
  configure();
  EXPECT_EQ(ask(0x00, StandardRequest::set_configuration, 2, 0, 0), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_configuration, 1, 1, 0), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_configuration, 1, 0, 4), "STALL");
  EXPECT_EQ(ask(0x81, StandardRequest::get_configuration, 0, 0, 1), "STALL");
  EXPECT_EQ(ask(0x80, StandardRequest::get_configuration, 0, 0, 2), "STALL");
  EXPECT_EQ(control.configuration(), 1);
}

TEST_P(ControlEndpointTest, AlternateSettingsBelongToTheConfiguredState) {
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 0, 0, 1), "STALL");
  EXPECT_EQ(ask(0x01, StandardRequest::set_interface, 1, 0, 0), "STALL");
  configure();
  EXPECT_EQ(ask(0x01, StandardRequest::set_interface, 1, 0, 0), "");
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 0, 0, 1), "01");
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 0, 1, 1), "00");
  EXPECT_EQ(function.interfaces, (std::vector<std::pair<int, int>>{{0, 1}}));
  configure();
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 0, 0, 1), "00") << "a new configuration starts with 0";
}

TEST_P(ControlEndpointTest, UnknownInterfacesAndSettingsAreRefused) {
  configure();
  EXPECT_EQ(ask(0x01, StandardRequest::set_interface, 2, 0, 0), "STALL");
  EXPECT_EQ(ask(0x01, StandardRequest::set_interface, 1, 1, 0), "STALL");
  EXPECT_EQ(ask(0x01, StandardRequest::set_interface, 256, 0, 0), "STALL");
  EXPECT_EQ(ask(0x01, StandardRequest::set_interface, 0, 2, 0), "STALL");
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 0, 256, 1), "STALL");
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 1, 0, 1), "STALL");
}

TEST_P(ControlEndpointTest, StatusOfTheDeviceTellsRemoteWakeUpBeforeUsb3) {
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 0, 2), "00 00");
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 1, 0, 0), usb3() ? "STALL" : "");
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 0, 2), usb3() ? "00 00" : "02 00");
  EXPECT_EQ(control.remote_wake_up_enabled(), !usb3());
  EXPECT_EQ(ask(0x00, StandardRequest::clear_feature, 1, 0, 0), usb3() ? "STALL" : "");
  EXPECT_FALSE(control.remote_wake_up_enabled());
}

TEST_P(ControlEndpointTest, FunctionSuspendEnablesRemoteWakeFromUsb3On) {
  EXPECT_EQ(ask(0x01, StandardRequest::set_feature, 0, 0x0300, 0), "STALL") << "not configured";
  configure();
  EXPECT_EQ(ask(0x81, StandardRequest::get_status, 0, 0, 2), usb3() ? "01 00" : "00 00");
  EXPECT_EQ(ask(0x01, StandardRequest::set_feature, 0, 0x0300, 0), usb3() ? "" : "STALL");
  EXPECT_EQ(control.remote_wake_up_enabled(), usb3());
  EXPECT_EQ(ask(0x81, StandardRequest::get_status, 0, 0, 2), usb3() ? "03 00" : "00 00");
  EXPECT_EQ(ask(0x01, StandardRequest::set_feature, 0, 0x0002, 0), "STALL") << "no such interface";
  EXPECT_EQ(ask(0x01, StandardRequest::set_feature, 0, 0x0400, 0), "STALL") << "reserved option";
  EXPECT_EQ(ask(0x01, StandardRequest::set_feature, 0, 0x0000, 0), usb3() ? "" : "STALL");
  EXPECT_FALSE(control.remote_wake_up_enabled());
}

TEST_P(ControlEndpointTest, LinkPowerFeaturesBelongToConfiguredUsb3Devices) {
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 48, 0, 0), "STALL");
  configure();
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 48, 0, 0), usb3() ? "" : "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 49, 0, 0), usb3() ? "" : "STALL");
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 0, 2), usb3() ? "0c 00" : "00 00");
  EXPECT_EQ(ask(0x00, StandardRequest::clear_feature, 48, 0, 0), usb3() ? "" : "STALL");
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 0, 2), usb3() ? "08 00" : "00 00");
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 50, 0, 0), "STALL") << "LTM";
}

TEST_P(ControlEndpointTest, TestModeAndStrangeFeaturesAreRefused) {
  configure();
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 2, 0x0100, 0), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 2, 0, 0), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 1, 0, 2), "STALL");
  EXPECT_EQ(ask(0x80, StandardRequest::set_feature, 1, 0, 0), "STALL");
  EXPECT_EQ(ask(0x03, StandardRequest::set_feature, 0, 0, 0), "STALL");
}

TEST_P(ControlEndpointTest, RemoteWakeUpIsRefusedByADeviceThatCannot) {
  description.remote_wake_up = false;
  configure();
  EXPECT_EQ(ask(0x00, StandardRequest::set_feature, 1, 0, 0), "STALL");
  EXPECT_EQ(ask(0x01, StandardRequest::set_feature, 0, 0x0200, 0), "STALL");
}

TEST_P(ControlEndpointTest, EndpointsHaltAndRecover) {
  EXPECT_EQ(ask(0x02, StandardRequest::set_feature, 0, 0x81, 0), "STALL") << "not configured";
  EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, 0x81, 2), "STALL");
  configure();
  EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, 0x81, 2), "00 00");
  EXPECT_EQ(ask(0x02, StandardRequest::set_feature, 0, 0x81, 0), "");
  EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, 0x81, 2), "01 00");
  EXPECT_EQ(ask(0x02, StandardRequest::clear_feature, 0, 0x81, 0), "");
  EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, 0x81, 2), "00 00");
}

TEST_P(ControlEndpointTest, UnknownEndpointsAreRefused) {
  configure();
  for (const unsigned index : {0x01u, 0x82u, 0x0181u, 0x91u, 0xffffu}) {
    EXPECT_EQ(ask(0x02, StandardRequest::set_feature, 0, index, 0), "STALL") << index;
    EXPECT_EQ(ask(0x02, StandardRequest::clear_feature, 0, index, 0), "STALL") << index;
    EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, index, 2), "STALL") << index;
  }
  EXPECT_EQ(ask(0x02, StandardRequest::set_feature, 1, 0x81, 0), "STALL") << "no such feature";
}

TEST_P(ControlEndpointTest, TheDefaultPipeNeverHalts) {
  EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, 0x00, 2), "00 00");
  EXPECT_EQ(ask(0x82, StandardRequest::get_status, 0, 0x80, 2), "00 00");
  EXPECT_EQ(ask(0x02, StandardRequest::set_feature, 0, 0, 0), "STALL");
  EXPECT_EQ(ask(0x02, StandardRequest::clear_feature, 0, 0, 0), "");
}

TEST_P(ControlEndpointTest, MalformedStatusRequestsAreRefused) {
  configure();
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 1, 0, 2), "STALL");
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 1, 2), "STALL");
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 0, 4), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::get_status, 0, 0, 2), "STALL");
  EXPECT_EQ(ask(0x81, StandardRequest::get_status, 0, 9, 2), "STALL");
  EXPECT_EQ(ask(0x83, StandardRequest::get_status, 0, 0, 2), "STALL");
  EXPECT_EQ(ask(0x9f, StandardRequest::get_status, 0, 0, 2), "STALL") << "reserved recipient";
}

TEST_P(ControlEndpointTest, ExitLatenciesAndDelaysAreTakenFromUsb3On) {
  const Bytes six(6);
  EXPECT_EQ(ask(0x00, StandardRequest::set_sel, 0, 0, 6, six), usb3() ? "" : "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_sel, 0, 0, 5, ByteView(six).first(5)), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_sel, 0, 0, 6, ByteView(six).first(3)), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_isoch_delay, 40, 0, 0), usb3() ? "" : "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_isoch_delay, 40, 1, 0), "STALL");
}

TEST_P(ControlEndpointTest, OptionalRequestsAreRefused) {
  configure();
  EXPECT_EQ(ask(0x82, StandardRequest::synch_frame, 0, 0x81, 2), "STALL");
  EXPECT_EQ(ask(0x00, StandardRequest::set_descriptor, 0x0100, 0, 18, Bytes(18)), "STALL");
  for (const unsigned unknown : {2u, 4u, 13u, 47u, 50u, 255u}) {
    EXPECT_EQ(ask(0x80, static_cast<StandardRequest>(unknown), 0, 0, 0), "STALL") << unknown;
  }
}

TEST_P(ControlEndpointTest, DescriptorsOfTheDeviceAndOfTheClass) {
  EXPECT_EQ(ask(0x80, StandardRequest::get_descriptor, 0x0100, 0, 18).substr(0, 5), "12 01");
  EXPECT_EQ(ask(0x80, StandardRequest::get_descriptor, 0x0101, 0, 18), "STALL") << "index of another";
  EXPECT_EQ(ask(0x80, StandardRequest::get_descriptor, 0x2200, 0, 18), "STALL") << "not the device's";
  EXPECT_EQ(ask(0x81, StandardRequest::get_descriptor, 0x2200, 0, 18), "00 00 00");
  EXPECT_EQ(ask(0x81, StandardRequest::get_descriptor, 0x2300, 0, 18), "STALL");
  EXPECT_EQ(ask(0x81, StandardRequest::get_descriptor, 0x2200, 7, 18), "STALL") << "no such interface";
  EXPECT_EQ(ask(0x00, StandardRequest::get_descriptor, 0x0100, 0, 18), "STALL");
}

TEST_P(ControlEndpointTest, ClassAndVendorRequestsAreTheFunctions) {
  EXPECT_TRUE(control.handle({0xa1, 1, 2, 0, 4}, {}));
  EXPECT_TRUE(control.handle({0xc0, 9, 0, 0, 4}, {}));
  EXPECT_EQ(function.class_requests.size(), 2u);
  EXPECT_FALSE(control.handle({0xa1, 1, 2, 5, 4}, {})) << "no such interface";
  EXPECT_FALSE(control.handle({0xe0, 1, 0, 0, 4}, {})) << "reserved type";
  EXPECT_EQ(function.class_requests.size(), 2u);
}

TEST_P(ControlEndpointTest, AResetForgetsEverything) {
  configure();
  (void)ask(0x00, StandardRequest::set_feature, 1, 0, 0);
  (void)ask(0x01, StandardRequest::set_feature, 0, 0x0200, 0);
  (void)ask(0x00, StandardRequest::set_feature, 48, 0, 0);
  control.reset();
  EXPECT_EQ(control.configuration(), 0);
  EXPECT_FALSE(control.remote_wake_up_enabled());
  EXPECT_EQ(ask(0x80, StandardRequest::get_status, 0, 0, 2), "00 00");
  EXPECT_EQ(ask(0x81, StandardRequest::get_interface, 0, 0, 1), "STALL");
}

INSTANTIATE_TEST_SUITE_P(Speeds, ControlEndpointTest, ::testing::Values(Speed::full, Speed::high, Speed::super),
                         [](const auto& param) { return std::string(name(param.param)); });

}  // namespace
}  // namespace periplex::usb::device
