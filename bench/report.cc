#include "report.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/os/file.h"

namespace cay::bench {
namespace {

void PrintRow(std::FILE* out, const Row& row, const Row& first) {
  std::fprintf(out, "  %-52s %10.3f %10.3f %-6s %6zu", row.name.c_str(), row.p50, row.p99,
               row.unit.c_str(), row.count);
  const bool is_part = row.name.starts_with(' ');
  if (&row != &first && !is_part && first.p50 > 0 && row.unit == first.unit) {
    std::fprintf(out, "  × %.2f", row.p50 / first.p50);
  }
  std::fputc('\n', out);
}

boost::json::object ToJson(const Section& section) {
  boost::json::array rows;
  for (const Row& row : section.rows()) {
    rows.push_back({{"name", row.name},
                    {"unit", row.unit},
                    {"p50", row.p50},
                    {"p99", row.p99},
                    {"count", row.count}});
  }
  boost::json::array budgets;
  for (const Budget& budget : section.budgets()) {
    budgets.push_back({{"budget", budget.text},
                       {"value", budget.value},
                       {budget.at_least ? "at_least" : "at_most", budget.limit},
                       {"met", budget.met()}});
  }
  return {{"title", section.title()},
          {"rows", std::move(rows)},
          {"budgets", std::move(budgets)},
          {"notes", boost::json::value_from(section.notes())}};
}

}  // namespace

void Section::AddSamples(const Samples& samples) {
  AddRow({.name = samples.name(),
          .p50 = samples.Percentile(50) / 1000,
          .p99 = samples.Percentile(99) / 1000,
          .count = samples.count()});
}

void Report::PrintTable(std::FILE* out) const {
  for (const Section& section : sections_) {
    std::fprintf(out, "\n%s\n  %-52s %10s %10s %-6s %6s\n", section.title().c_str(), "", "p50",
                 "p99", "", "n");
    for (const Row& row : section.rows()) PrintRow(out, row, section.rows().front());
    for (const Budget& budget : section.budgets()) {
      std::fprintf(out, "  %s: %s (%.3f, budget %s %.3f)\n", budget.met() ? "met   " : "MISSED",
                   budget.text.c_str(), budget.value, budget.at_least ? "≥" : "≤", budget.limit);
    }
    for (const std::string& note : section.notes()) {
      std::fprintf(out, "  note: %s\n", note.c_str());
    }
  }
}

Result<void> Report::WriteJson(const std::string& path) const {
  utsname machine{};
  uname(&machine);
  boost::json::array sections;
  for (const Section& section : sections_) sections.push_back(ToJson(section));
  const boost::json::object document{{"kernel", machine.release},
                                     {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
                                     {"sections", std::move(sections)}};
  return WriteFileAtomic(path, boost::json::serialize(document) + "\n", 0644);
}

}  // namespace cay::bench
