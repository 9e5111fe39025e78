// Room for what is about to grow: within the budget (metadata/space_budget.h), and on the disk.
//
//   TRY(MakeRoom(store, 800 * kMiB));        // before a pull of so much
//   options.check_room = RoomCheck(store);   // and while it is unpacked
//
// What can be made again goes first, by its last use (collect.h). Only when that is not enough what
// would grow is refused. Blocking.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/units.h"
#include "template/store/template_store.h"

namespace cay::templates {

// kResourceExhausted, the machine's: names the budget and its largest users. Where the disk has
// less free than the machine keeps for itself, as CheckHostReserve says it.
Result<void> MakeRoom(TemplateStore& store, Bytes need);

// For ImportOptions::check_room. The store outlives it.
std::function<Result<void>(Bytes written)> RoomCheck(TemplateStore& store);

// What the budget asks for when nothing is about to grow: what is too much, and too old, goes.
// Returns the bytes that it freed.
Result<Bytes> KeepToBudget(TemplateStore& store);

}  // namespace cay::templates
