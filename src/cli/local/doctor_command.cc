// cay doctor: what this machine offers, what Cay enforces with it, and what would mend each gap.
#include <cstdlib>

#include "base/os/paths.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/frame/remedy_words.h"
#include "cli/local/doctor_report.h"
#include "cli/local/local_survey.h"

namespace cay::cli {
namespace {

// The exit code when something of the default sandbox is not enforced.
constexpr int kExitGaps = 1;

struct DoctorOptions {
  bool json = false;
  std::string state_dir;
};

// The first of the variables that is set decides: locale(7).
bool IsUtf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = ::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale = value;
    return locale.find("UTF-8") != std::string_view::npos ||
           locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

Result<int> DoctorMain(DoctorOptions& options, Positionals&) {
  const Paths paths = TRY(Paths::Resolve(options.state_dir));
  const auto survey = TRY(SurveyMachine(paths));
  const engine::Diagnosis diagnosis = TRY(survey->Diagnose());
  const auto sandboxes = TRY(survey->TakeInventory());
  const auto disk = LookAtDisk(paths, sandboxes);
  if (!disk) Note("the state directory's disk: " + disk.error().ToString(CommandFor));
  const DoctorFindings found{.disk = disk ? &*disk : nullptr, .concerns = ConcernsOf(sandboxes)};
  TRY(Print(options.json ? RenderDoctorJson(diagnosis, found)
                         : RenderDoctor(diagnosis, IsUtf8Locale(), found)));
  return diagnosis.fully_enforced ? 0 : kExitGaps;
}

constexpr OptionSpec kOptions[] = {
    kJsonOption<DoctorOptions>,
    kStateDirOption<DoctorOptions>,
};

}  // namespace

constinit const Command kDoctorCommand = {
    .name = "doctor",
    .summary = "Say what this machine enforces, and what would mend each gap",
    .usage = "[OPTIONS]",
    .description =
        "Tries what sandboxes are made of, as this user, and changes nothing. Exits with 0 when "
        "the\n"
        "default sandbox is fully enforced, with 1 when something is missing, with 125 when it\n"
        "could not find out.\n",
    .options = kOptions,
    .examples = "cay doctor\nsudo cay doctor --json\n",
    .run = &ParseAndRun<DoctorOptions, DoctorMain>,
};

}  // namespace cay::cli
