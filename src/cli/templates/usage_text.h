// What cay template inspect | df | prune say, of this machine's templates and of a server's alike:
// of the objects of the API. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace cay::cli {

// Of a TemplateDetails: the same with its layers where the API has their number. So --json has it.
boost::json::object DetailsForPeople(const boost::json::object& details);
// Of that.
std::string FormatDetails(const boost::json::object& details, int64_t now_ms);
// Of a TemplatesUsage.
std::string FormatUsage(const boost::json::object& usage, int64_t now_ms);
// Of a TemplatePruneReport; `unused_for`: a duration, as text.
std::string FormatPruned(const boost::json::object& report, const std::string& unused_for);

}  // namespace cay::cli
