// NameBook: where the names of one sandbox's programs stand as well, so that they outlive the relay
// that gave them: a file in memory (memfd_create(2)) of a fixed size, of which the relay's
// controller has a descriptor. What the tables of names say is written there before anybody is told
// of it; the next relay reads it, and goes on writing.
//
//   const auto book = TRY(NameBook::Make());                  // or Adopt(what a relay before had)
//   NameTable names = TRY(NameTable::In(book, now));          // PinnedNames::In: the same
//
// A controller passes the file on, and does not look into it. For a relay it is the writing of
// another process, which may have been made to write anything: nothing of it is believed that the
// tables could not have written themselves.
//
// It has as many lines as the tables can need, and takes memory for those that were written. A line
// is within one page, and written by one call: who is killed meanwhile has written it, or not.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "network/policy/address.h"

namespace cay::network {

class NameBook {
 public:
  // Of NameTable, and of PinnedNames.
  enum class Part : uint8_t { kGiven, kPinned };
  static constexpr uint32_t kGivenLines = 4096;
  static constexpr uint32_t kPinnedLines = 4096 * 16;

  struct Entry {
    uint32_t line = 0;    // from 0, of its part
    uint64_t number = 0;  // from 1; a higher one was written later
    Address address{};
    std::string name{};  // in lower case, without a trailing dot
  };

  static Result<std::shared_ptr<NameBook>> Make();
  // kProtocol for what is no such file, whose size nobody can change any more.
  static Result<std::shared_ptr<NameBook>> Adopt(Fd file);

  const Fd& file() const { return file_; }

  // In the place of what is in that line. What cannot be written is not there, and is logged once.
  Result<void> Write(Part part, const Entry& entry);
  Result<void> Erase(Part part, uint32_t line);
  // By their numbers. kProtocol for lines that Write does not write; which lines go together is for
  // the tables to say.
  Result<std::vector<Entry>> Read(Part part) const;

  static Error NotWrittenByTables();

 private:
  explicit NameBook(Fd file) : file_(std::move(file)) {}
  Result<void> Put(Part part, uint32_t line, std::string_view bytes);

  Fd file_;
  bool has_failed_ = false;
};

}  // namespace cay::network
