#include "template/export/image_form.h"

#include <gtest/gtest.h>

namespace cay::templates {
namespace {

using archive::Compression;

TEST(ImageForm, OfDockersTheLayersAreNotCompressed) {
  EXPECT_EQ(*CompressionFor(ImageForm::kOci, std::nullopt), Compression::kGzip);
  EXPECT_EQ(*CompressionFor(ImageForm::kOci, Compression::kZstd), Compression::kZstd);
  EXPECT_EQ(*CompressionFor(ImageForm::kDocker, std::nullopt), Compression::kNone);
  EXPECT_EQ(*CompressionFor(ImageForm::kDocker, Compression::kNone), Compression::kNone);
  EXPECT_EQ(CompressionFor(ImageForm::kDocker, Compression::kGzip).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_FALSE(ParseImageForm("oci-dir"));
  EXPECT_FALSE(ParseCompression("xz"));
}

TEST(ImageForm, AnImageIsCalledAsItsTemplateUnlessItIsSaid) {
  EXPECT_EQ(ReferenceToWrite("", "app")->Familiar(), "app:latest");
  EXPECT_EQ(ReferenceToWrite("", "@team/app")->Familiar(), "app:latest");
  EXPECT_EQ(ReferenceToWrite("", "python:3.12")->Familiar(), "python:3.12");
  EXPECT_EQ(ReferenceToWrite("team/app:1.2", "app")->Familiar(), "team/app:1.2");
  EXPECT_EQ(ReferenceToWrite("app@sha256:" + std::string(64, 'a'), "app").error().code(),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace cay::templates
