// SPDX-License-Identifier: Apache-2.0
#include "host/usb/open_device.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>

#include "host/usb/libusb_context.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::host {
namespace {

unsigned open_devices = 0;  // of the loop's thread

/// What the call thread has opened.
struct Opened {
  UniqueFd file;
  LibusbContext context;
  libusb_device_handle* handle = nullptr;
  UsbDescription description;  // as it is by then
};

/// A device with a context of its own, so that its events can be left alone while a call for it is under way.
class LibusbHandle final : public UsbHandle {
 public:
  LibusbHandle(EventLoop& loop, CallThread& calls, Opened opened)
      : calls_(calls),
        file_(std::move(opened.file)),
        context_(std::move(opened.context)),
        handle_(opened.handle),
        events_(std::in_place, loop, context_.get()) {
    ++open_devices;
  }
  LibusbHandle(const LibusbHandle&) = delete;
  LibusbHandle& operator=(const LibusbHandle&) = delete;
  ~LibusbHandle() override {
    events_.reset();
    libusb_close(handle_);
    context_.reset();
    --open_devices;
    // The kernel ends what is under way, and may wait for the device.
    calls_.run([file = std::move(file_)]() mutable { return file.reset(), 0; }, nullptr);
  }

  int submit(libusb_transfer& transfer) override {
    transfer.dev_handle = handle_;
    return libusb_submit_transfer(&transfer);
  }
  void pause() override { events_->pause(); }
  void resume() override { events_->resume(); }

  int cancel(libusb_transfer& transfer) override { return libusb_cancel_transfer(&transfer); }
  int reset() override { return libusb_reset_device(handle_); }
  int set_configuration(int value) override { return libusb_set_configuration(handle_, value); }
  int set_alternate_setting(std::uint8_t interface, std::uint8_t alternate_setting) override {
    return libusb_set_interface_alt_setting(handle_, interface, alternate_setting);
  }
  int clear_halt(std::uint8_t endpoint) override { return libusb_clear_halt(handle_, endpoint); }
  int allocate_streams(std::uint32_t count, std::span<std::uint8_t> endpoints) override {
    return libusb_alloc_streams(handle_, count, endpoints.data(), static_cast<int>(endpoints.size()));
  }
  int claim(std::uint8_t interface) override { return libusb_claim_interface(handle_, interface); }
  int release(std::uint8_t interface) override { return libusb_release_interface(handle_, interface); }
  int kernel_driver_active(std::uint8_t interface) override { return libusb_kernel_driver_active(handle_, interface); }
  int detach_kernel_driver(std::uint8_t interface) override { return libusb_detach_kernel_driver(handle_, interface); }
  int attach_kernel_driver(std::uint8_t interface) override { return libusb_attach_kernel_driver(handle_, interface); }

 private:
  CallThread& calls_;
  UniqueFd file_;
  LibusbContext context_;
  libusb_device_handle* handle_;
  std::optional<LibusbEvents> events_;
};

UsbError error_of(int libusb_error) {
  switch (libusb_error) {
    case LIBUSB_ERROR_ACCESS:
      return UsbError::not_permitted;
    case LIBUSB_ERROR_NO_DEVICE:
    case LIBUSB_ERROR_NOT_FOUND:
      return UsbError::gone;
    case LIBUSB_ERROR_BUSY:
      return UsbError::in_use;
    default:
      return UsbError::failed;
  }
}

int error_of_open(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
      return LIBUSB_ERROR_ACCESS;
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return LIBUSB_ERROR_NO_DEVICE;
    default:
      return LIBUSB_ERROR_IO;
  }
}

/// On the call thread: opening a file of usbfs wakes the device up.
int open_file(const UsbDescription& description, Opened& opened) {
  auto now = read_description(description.port);
  if (!now || now->location != description.location) return LIBUSB_ERROR_NO_DEVICE;
  opened.description = std::move(*now);
  const UsbLocation location = description.location;
  const std::string path = fmt::format("/dev/bus/usb/{:03}/{:03}", location.bus, location.address);
  opened.file = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!opened.file) return error_of_open(errno);
  int error = 0;
  opened.context = make_libusb_context(false, error);
  if (opened.context == nullptr) return error;
  return libusb_wrap_sys_device(opened.context.get(), opened.file.get(), &opened.handle);
}

void take_interfaces(const UsbPlace& place, Opened opened, OnUsbOpened on_opened) {
  const UsbDescription description = std::move(opened.description);
  auto connection = std::make_shared<UsbConnection>(
      std::make_unique<LibusbHandle>(place.loop, place.calls, std::move(opened)), place.calls, place.loop);
  auto claims = std::make_shared<InterfaceClaims>(description.active_configuration);
  const ActiveInterfaces active(description.descriptors, description.active_configuration);
  auto& keep = *connection;
  keep.call([claims, interfaces = active.interfaces()](UsbHandle& handle) { return claims->claim(handle, interfaces); },
            [place, description, connection = std::move(connection), claims,
             on_opened = std::move(on_opened)](int error) mutable {
              if (error != 0) {
                connection->abandon([](UsbHandle&) { return 0; });
                return on_opened(std::unexpected(error_of(error)));
              }
              on_opened(std::make_unique<UsbDevice>(description, std::move(connection), std::move(claims), place.memory,
                                                    place.loop));
            });
}

}  // namespace

std::string_view describe(UsbError error) {
  switch (error) {
    case UsbError::not_permitted:
      return "this user may not use it: are Periplex's udev rules installed?";
    case UsbError::gone:
      return "it is not there any more";
    case UsbError::in_use:
      return "another program uses it";
    case UsbError::failed:
      return "the system cannot open it";
  }
  return "?";
}

void open_usb_device(const UsbPlace& place, const UsbDescription& description, OnUsbOpened on_opened) {
  const auto opened = std::make_shared<Opened>();
  place.calls.run([opened, description] { return open_file(description, *opened); },
                  [place, opened, on_opened = std::move(on_opened)](int error) mutable {
                    if (error != 0) return on_opened(std::unexpected(error_of(error)));
                    take_interfaces(place, std::move(*opened), std::move(on_opened));
                  });
}

unsigned open_usb_devices() {
  return open_devices;
}

}  // namespace periplex::host
