// Micro benchmarks of what runs for every request: identifiers, units, frames, messages.
#include <benchmark/benchmark.h>

#include "base/id.h"
#include "base/units.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/process_messages.h"

namespace {

using namespace cay::protocol;  // NOLINT(google-build-using-namespace): a program of its own

void GenerateId(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(cay::SandboxId::Generate());
}
BENCHMARK(GenerateId);

void ParseSize(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(cay::ParseBytes("512m"));
}
BENCHMARK(ParseSize);

StartRequest ExampleStart() {
  StartRequest request;
  request.argv = {"python3", "-c", "print('hello')"};
  request.env = {"PATH=/usr/bin:/bin", "HOME=/home/user", "LANG=C.UTF-8"};
  request.cwd = "/workspace";
  return request;
}

void EncodeStart(benchmark::State& state) {
  const StartRequest request = ExampleStart();
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(Encode(request));
}
BENCHMARK(EncodeStart);

void DecodeStart(benchmark::State& state) {
  const std::string payload = Encode(ExampleStart());
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(Decode<StartRequest>(payload));
}
BENCHMARK(DecodeStart);

// Frames of output of `range` bytes through the parser, as the host reads them.
void ParseOutputFrames(benchmark::State& state) {
  const auto payload_bytes = static_cast<size_t>(state.range(0));
  const std::string frame = MakeFrame(FrameType::kStdout, std::string(payload_bytes, 'x'));
  FrameParser parser(Sender::kGuest);
  for ([[maybe_unused]] auto _ : state) {
    for (size_t at = 0; at < frame.size();) {
      const std::span<char> space = parser.Space();
      const size_t part = std::min(space.size(), frame.size() - at);
      frame.copy(space.data(), part, at);
      parser.Commit(part);
      at += part;
      benchmark::DoNotOptimize(parser.Next());
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ParseOutputFrames)->Arg(64)->Arg(4096)->Arg(65536);

}  // namespace

BENCHMARK_MAIN();
