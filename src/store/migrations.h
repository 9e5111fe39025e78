// Migrations: the definitions of all tables, as steps from an empty database to today's.
//
// PRAGMA user_version says how many of them a database has seen. A step that is released is never
// changed: a change of a table is a step of its own, added to the end of the list in migrations.cc.
// Each step and its number are one transaction.
#pragma once

#include <span>

#include "base/result.h"
#include "store/database.h"

namespace cay::store {

struct Migration {
  const char* name;  // for messages
  const char* sql;   // one or more statements
};

std::span<const Migration> AllMigrations();

// Takes the steps that are missing. A database that has seen more steps than there are was made by
// a newer program: kNotSupported, with what to do.
Result<void> Migrate(Database& db, std::span<const Migration> migrations);

}  // namespace cay::store
