// Report: what a run found, as a table for people and as JSON for machines.
//
//   Report report;
//   Section& section = report.AddSection("create → exec true → destroy");
//   section.AddSamples(samples[0]);
//   section.AddBudget("p50 at most 0.8 × bubblewrap", ratio, 0.8);
//   report.PrintTable(stdout);
//   TRY(report.WriteJson("bench.json"));
#pragma once

#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "samples.h"

namespace cay::bench {

// One measured thing. Durations are in milliseconds, others in the unit that is named.
struct Row {
  std::string name;
  std::string unit = "ms";
  double p50 = 0;
  double p99 = 0;
  size_t count = 0;
};

struct Budget {
  std::string text;
  double value = 0;
  double limit = 0;
  bool at_least = false;  // otherwise the value must be at most the limit
  bool met() const { return at_least ? value >= limit : value <= limit; }
};

class Section {
 public:
  explicit Section(std::string title) : title_(std::move(title)) {}

  void AddSamples(const Samples& samples);
  void AddRow(Row row) { rows_.push_back(std::move(row)); }
  void AddBudget(std::string text, double value, double limit) {
    budgets_.push_back({std::move(text), value, limit, false});
  }
  void AddFloor(std::string text, double value, double floor) {
    budgets_.push_back({std::move(text), value, floor, true});
  }
  // Something a reader must know: a peer that is not here, a figure that is another's.
  void AddNote(std::string note) { notes_.push_back(std::move(note)); }

  const std::string& title() const { return title_; }
  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<Budget>& budgets() const { return budgets_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::string title_;
  std::vector<Row> rows_;
  std::vector<Budget> budgets_;
  std::vector<std::string> notes_;
};

class Report {
 public:
  // Lives as long as the report.
  Section& AddSection(std::string title) { return sections_.emplace_back(std::move(title)); }

  // The ratio column is to the section's first row; a row whose name begins with a blank is a
  // part of the one before and has none.
  void PrintTable(std::FILE* out) const;
  Result<void> WriteJson(const std::string& path) const;

 private:
  std::deque<Section> sections_;
};

}  // namespace cay::bench
