#include "template/oci/image_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

ProcessConfig Image() {
  ProcessConfig image;
  image.entrypoint = {"/entry", "--log"};
  image.cmd = {"serve", "80"};
  return image;
}

TEST(ImageCommand, IsTheEntrypointAndTheCommandOfTheImage) {
  EXPECT_THAT(ImageCommand(Image(), std::nullopt, {}),
              ElementsAre("/entry", "--log", "serve", "80"));
}

TEST(ImageCommand, ACommandTakesThePlaceOfTheImages) {
  EXPECT_THAT(ImageCommand(Image(), std::nullopt, {"check"}),
              ElementsAre("/entry", "--log", "check"));
}

TEST(ImageCommand, AnotherEntrypointTakesTheImagesCommandAway) {
  EXPECT_THAT(ImageCommand(Image(), Words{"/other"}, {}), ElementsAre("/other"));
  EXPECT_THAT(ImageCommand(Image(), Words{"/other"}, {"x"}), ElementsAre("/other", "x"));
}

TEST(ImageCommand, WithoutAnEntrypointTheCommandStandsAlone) {
  EXPECT_THAT(ImageCommand(Image(), Words{}, {}), ElementsAre("serve", "80"));
  EXPECT_THAT(ImageCommand(Image(), Words{}, {"x"}), ElementsAre("x"));
}

TEST(ImageCommand, WhereNobodySaysOneThereIsNone) {
  EXPECT_THAT(ImageCommand({}, std::nullopt, {}), IsEmpty());
  EXPECT_THAT(ImageCommand({}, Words{}, {}), IsEmpty());
}

TEST(ParseStopSignal, TakesNamesAndNumbers) {
  EXPECT_EQ(ParseStopSignal("").value(), 15);
  EXPECT_EQ(ParseStopSignal("SIGQUIT").value(), 3);
  EXPECT_EQ(ParseStopSignal("quit").value(), 3);
  EXPECT_EQ(ParseStopSignal("9").value(), 9);
  EXPECT_EQ(ParseStopSignal("64").value(), 64);
}

TEST(ParseStopSignal, TakesRealTimeSignals) {
  EXPECT_EQ(ParseStopSignal("SIGRTMIN").value(), 34);
  EXPECT_EQ(ParseStopSignal("SIGRTMIN+3").value(), 37);
  EXPECT_EQ(ParseStopSignal("RTMAX-1").value(), 63);
}

TEST(ParseStopSignal, RefusesWhatIsNone) {
  for (const char* text : {"0", "65", "-1", "SIGNOTHING", "SIGRTMIN+31", "RTMIN-1", "RTMAX+1",
                           "SIGSIGTERM", " 9", "SIGRTMIN+"}) {
    EXPECT_FALSE(ParseStopSignal(text)) << text;
  }
}

}  // namespace
}  // namespace cay::templates::oci
