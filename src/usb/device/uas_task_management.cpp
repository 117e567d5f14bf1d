// SPDX-License-Identifier: Apache-2.0
// The task management functions (SAM-5 clause 7, UAS-3 "TASK MANAGEMENT IU").
#include <algorithm>

#include "usb/device/uas.hpp"

namespace periplex::usb::device {

/// Whatever is to be ended has ended when this returns, so that the response comes last. To abort what is not there is
/// no error: "the function shall be considered complete" (SAM-5, ABORT TASK).
UasResponse Uas::manage(const UasTaskManagementIu& iu) {
  const bool names_unit = iu.function != UasFunction::i_t_nexus_reset;
  if (names_unit && iu.lun != 0) return UasResponse::incorrect_lun;
  const auto task = find(iu.task_tag);
  const bool found = task != commands_.end() && task->lun() == 0;
  switch (iu.function) {
    case UasFunction::abort_task:
      if (found) abort(task);
      return UasResponse::task_management_complete;
    case UasFunction::abort_task_set:
    case UasFunction::clear_task_set:  // the task set has no other host's commands
      abort_task_set();
      return UasResponse::task_management_complete;
    case UasFunction::logical_unit_reset:
      abort_task_set();
      target_.reset_unit(iu.lun);
      return UasResponse::task_management_complete;
    case UasFunction::i_t_nexus_reset:
      while (!commands_.empty()) abort(commands_.begin());
      target_.nexus_lost();
      return UasResponse::task_management_complete;
    case UasFunction::query_task:
      return found ? UasResponse::succeeded : UasResponse::task_management_complete;
    case UasFunction::query_task_set: {
      const bool any = std::ranges::any_of(commands_, [](const UasCommand& each) { return each.lun() == 0; });
      return any ? UasResponse::succeeded : UasResponse::task_management_complete;
    }
    case UasFunction::clear_aca:
    case UasFunction::query_asynchronous_event:
      break;
  }
  return UasResponse::not_supported;
}

void Uas::abort_task_set() {
  for (auto next = commands_.begin(); next != commands_.end();) {
    const auto command = next++;
    if (command->lun() == 0) abort(command);
  }
}

}  // namespace periplex::usb::device
