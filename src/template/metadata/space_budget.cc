#include "template/metadata/space_budget.h"

#include <boost/json.hpp>

#include "base/os/file.h"
#include "json/json_members.h"

namespace cay::templates {
namespace {

namespace json = boost::json;

constexpr size_t kMaxText = 4096;

std::string PathOfBudget(const std::string& templates_dir) { return templates_dir + "/.budget"; }

}  // namespace

SpaceBudget ReadBudget(const std::string& templates_dir) {
  SpaceBudget budget;
  const auto text = ReadFile(PathOfBudget(templates_dir), kMaxText);
  const auto object = text ? ParseObject(*text) : std::nullopt;
  if (!object) return budget;
  budget.max_bytes = NumberOf<Bytes>(*object, "max_bytes").value_or(0);
  const int64_t age = NumberOf(*object, "max_age_ms").value_or(0);
  budget.max_age = Millis(age > 0 ? age : 0);
  return budget;
}

Result<void> WriteBudget(const std::string& templates_dir, const SpaceBudget& budget) {
  const json::object object{{"max_bytes", budget.max_bytes},
                            {"max_age_ms", int64_t{budget.max_age.count()}}};
  return WriteFileAtomic(PathOfBudget(templates_dir), json::serialize(object) + "\n", 0600);
}

}  // namespace cay::templates
