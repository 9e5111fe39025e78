// The recipes that are part of the program, and those of a directory.
#include <algorithm>
#include <utility>

#include "base/os/file.h"
#include "base/os/listing.h"
#include "template/environment/environment.h"

// NOLINTBEGIN(readability-identifier-naming): symbols of the assembler
extern "C" {
extern const char cay_environments_begin[];
extern const char cay_environments_end[];
}
// NOLINTEND(readability-identifier-naming)

namespace cay::templates {
namespace {

// Name, zero, recipe, zero, and so on.
std::string_view TakePiece(std::string_view& data) {
  const std::string_view piece = data.substr(0, data.find('\0'));
  data.remove_prefix(std::min(piece.size() + 1, data.size()));
  return piece;
}

Result<Environments> ReadBuiltIn() {
  std::string_view data(cay_environments_begin,
                        static_cast<size_t>(cay_environments_end - cay_environments_begin));
  std::vector<Environment> list;
  while (!data.empty()) {
    const std::string_view name = TakePiece(data);
    list.push_back(TRY(ParseEnvironment(name, TakePiece(data))));
  }
  return Environments::Of(std::move(list));
}

}  // namespace

const Environments& BuiltInEnvironments() {
  static const Environments kAll = ReadBuiltIn().value_or(Environments());
  return kAll;
}

Result<Environments> ReadEnvironments(const std::string& directory) {
  auto listing = Listing::Open(directory);
  if (!listing && listing.error().sys_errno() == ENOENT) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "there is no directory of environments " + directory));
  }
  if (!listing) return Failure(std::move(listing).error().WithContext(directory));
  std::vector<Environment> list;
  while (const dirent* entry = TRY(listing->Next())) {
    const std::string_view file = entry->d_name;
    if (!file.ends_with(kRecipeSuffix)) continue;
    if (list.size() == kMaxEnvironments) {
      return Failure(Error::Invalid(directory + " has more than " +
                                    std::to_string(kMaxEnvironments) + " recipes"));
    }
    const std::string path = directory + "/" + std::string(file);
    const std::string text = TRY(ReadFile(path, kMaxRecipe));
    auto one = ParseEnvironment(file.substr(0, file.size() - kRecipeSuffix.size()), text);
    if (!one) return Failure(std::move(one).error().WithContext(path));
    one->directory = directory;
    list.push_back(*std::move(one));
  }
  auto all = Environments::Of(std::move(list), &BuiltInEnvironments());
  if (!all) return Failure(std::move(all).error().WithContext(directory));
  return all;
}

}  // namespace cay::templates
