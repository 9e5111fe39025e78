#include "template/oci/manifest.h"

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"
#include "json/json_writer.h"
#include "template/oci/document.h"

namespace cay::templates::oci {
namespace {

constexpr uint64_t kSchemaVersion = 2;

std::string Quoted(std::string_view text) { return "\"" + archive::Printable(text) + "\""; }

Error NotRead(std::string message) {
  return {ErrorCode::kNotSupported, Fault::kCaller, std::move(message)};
}

Error Schema1() {
  return NotRead(
             "it is a manifest of Docker's schema 1, which is not read: what it says of layers "
             "cannot be verified")
      .WithRemedy("push the image again with a current Docker or Podman");
}

bool IsDockers(std::string_view media_type) {
  return media_type == kDockerManifest || media_type == kDockerList;
}

// RFC 6838, 4.2, without its finer points: two parts, letters that need no quoting.
bool IsMediaType(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != 0 && slash != std::string_view::npos && slash + 1 < text.size() &&
         text.find('/', slash + 1) == std::string_view::npos &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/!#$&-^_.+").contains(c);
         });
}

Result<std::string> ReadMediaType(DocumentFields& fields, std::string_view name) {
  std::string text = TRY(fields.Text(name, Descriptor::kMaxMediaType));
  if (!text.empty() && !IsMediaType(text)) {
    return Failure(fields.Wrong(name, "is no media type: " + Quoted(text)));
  }
  return text;
}

Result<StringMap> ReadAnnotations(DocumentFields& fields) {
  return fields.TextMap("annotations", Descriptor::kMaxAnnotations,
                        Descriptor::kMaxAnnotationBytes);
}

Result<std::vector<std::string>> ReadUrls(DocumentFields& fields) {
  auto urls = TRY(fields.Texts("urls", Descriptor::kMaxUrls, Descriptor::kMaxUrl));
  for (const std::string& url : urls) {
    const bool printable = std::ranges::all_of(url, [](char c) { return c > ' ' && c < '\x7f'; });
    if (!printable || (!url.starts_with("https://") && !url.starts_with("http://"))) {
      return Failure(fields.Wrong("urls", "has " + Quoted(url) + ", which is no URL of HTTP"));
    }
  }
  return urls;
}

Result<std::string> ReadWord(DocumentFields& fields, std::string_view name) {
  std::string word = TRY(fields.Text(name, Platform::kMaxWord));
  if (std::ranges::any_of(word, [](char c) { return c < ' ' || c == '\x7f'; })) {
    return Failure(fields.Wrong(name, "has a byte that is no printable ASCII: " + Quoted(word)));
  }
  return word;
}

Result<Platform> ReadPlatform(const JsonValue& value, std::string where) {
  DocumentFields fields = TRY(DocumentFields::Of(value, std::move(where)));
  Platform platform;
  platform.os = TRY(ReadWord(fields, "os"));
  platform.architecture = TRY(ReadWord(fields, "architecture"));
  platform.variant = TRY(ReadWord(fields, "variant"));
  platform.os_version = TRY(ReadWord(fields, "os.version"));
  platform.os_features =
      TRY(fields.Texts("os.features", Platform::kMaxFeatures, Platform::kMaxWord));
  TRY(fields.Finish());
  return platform;
}

Result<Descriptor> ReadDescriptor(const JsonValue& value, std::string where) {
  DocumentFields fields = TRY(DocumentFields::Of(value, std::move(where)));
  std::string media_type = TRY(ReadMediaType(fields, "mediaType"));
  if (media_type.empty()) return Failure(fields.Missing("mediaType"));
  Digest digest = TRY(fields.RequiredDigest("digest"));
  Descriptor descriptor{.media_type = std::move(media_type), .digest = std::move(digest)};
  const auto size = TRY(fields.Number("size", Descriptor::kMaxSize));
  if (!size) return Failure(fields.Missing("size"));
  descriptor.size = *size;
  descriptor.urls = TRY(ReadUrls(fields));
  descriptor.annotations = TRY(ReadAnnotations(fields));
  descriptor.artifact_type = TRY(ReadMediaType(fields, "artifactType"));
  if (const JsonValue* platform = fields.Find("platform")) {
    descriptor.platform = TRY(ReadPlatform(*platform, fields.Inside("platform")));
  }
  TRY(fields.Finish());
  return descriptor;
}

Result<std::vector<Descriptor>> ReadDescriptors(DocumentFields& fields, std::string_view name,
                                                size_t max) {
  std::vector<Descriptor> descriptors;
  const auto* array = TRY(fields.Array(name, max));
  if (array == nullptr) return Failure(fields.Missing(name));
  for (const JsonValue& value : *array) {
    descriptors.push_back(TRY(ReadDescriptor(value, fields.Inside(name, descriptors.size()))));
  }
  return descriptors;
}

Result<std::optional<Descriptor>> ReadSubject(DocumentFields& fields) {
  const JsonValue* value = fields.Find("subject");
  if (value == nullptr) return std::nullopt;
  return TRY(ReadDescriptor(*value, fields.Inside("subject")));
}

Result<Manifest> ReadManifest(DocumentFields& fields, std::string media_type) {
  const JsonValue* value = fields.Find("config");
  if (value == nullptr) return Failure(fields.Missing("config"));
  Descriptor config = TRY(ReadDescriptor(*value, fields.Inside("config")));
  Manifest manifest{.media_type = std::move(media_type), .config = std::move(config)};
  manifest.layers = TRY(ReadDescriptors(fields, "layers", kMaxLayers));
  manifest.artifact_type = TRY(ReadMediaType(fields, "artifactType"));
  manifest.subject = TRY(ReadSubject(fields));
  manifest.annotations = TRY(ReadAnnotations(fields));
  return manifest;
}

Result<Index> ReadIndex(DocumentFields& fields, std::string media_type) {
  Index index{.media_type = std::move(media_type)};
  index.manifests = TRY(ReadDescriptors(fields, "manifests", kMaxIndexEntries));
  index.artifact_type = TRY(ReadMediaType(fields, "artifactType"));
  index.subject = TRY(ReadSubject(fields));
  index.annotations = TRY(ReadAnnotations(fields));
  return index;
}

// Which of the four formats it is, if only one program could read it so.
Result<std::string> FormatOf(DocumentFields& fields, std::string_view sent) {
  const bool as_index = fields.Has("manifests");
  const bool has_config = fields.Has("config");
  const bool as_manifest = fields.Has("layers") || has_config;
  const auto version = TRY(fields.Number("schemaVersion", UINT64_MAX));
  if (fields.Has("fsLayers") || version == 1) return Failure(Schema1());
  if (as_index && as_manifest) {
    return Failure(Error::Invalid(
        "the document has the members of an index (\"manifests\") and those of an image's manifest "
        "(\"config\", \"layers\"): what it is depends on its reader (CVE-2021-41190)"));
  }
  if (!version) return Failure(fields.Missing("schemaVersion"));
  if (*version != kSchemaVersion) {
    return Failure(NotRead("\"schemaVersion\" is " + std::to_string(*version) + ", not 2"));
  }
  const std::string own = TRY(ReadMediaType(fields, "mediaType"));
  if (KindOf(own) == MediaKind::kSchema1) return Failure(Schema1());
  if (!own.empty() && !sent.empty() && own != sent) {
    return Failure(Error::Invalid("the document came as " + Quoted(sent) +
                                  ", and says that it is " + Quoted(own)));
  }
  if (own.empty() && IsDockers(sent)) return Failure(fields.Missing("mediaType"));
  std::string format = own.empty() ? std::string(sent) : own;
  if (format.empty()) format = as_index ? kOciIndex : kOciManifest;
  const MediaKind kind = KindOf(format);
  if (kind != MediaKind::kIndex && kind != MediaKind::kManifest) {
    return Failure(NotRead(Quoted(format) + " is neither an image's manifest nor an index"));
  }
  if (kind == MediaKind::kIndex ? as_manifest : as_index) {
    return Failure(Error::Invalid("the document is " + Quoted(format) +
                                  ", and has the members of " +
                                  (as_index ? "an index" : "an image's manifest")));
  }
  return format;
}

void WriteTexts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.Key(name).BeginArray();
  for (const std::string& text : texts) json.Value(text);
  json.EndArray();
}

void WriteText(JsonWriter& json, std::string_view name, const std::string& text) {
  if (!text.empty()) json.Member(name, text);
}

void WriteAnnotations(JsonWriter& json, const StringMap& annotations) {
  if (annotations.empty()) return;
  json.Key("annotations").BeginObject();
  for (const auto& [name, value] : annotations) json.Member(name, value);
  json.EndObject();
}

void WriteDescriptor(JsonWriter& json, const Descriptor& descriptor) {
  json.BeginObject().Member("mediaType", descriptor.media_type);
  json.Member("digest", descriptor.digest.text()).Member("size", descriptor.size);
  WriteTexts(json, "urls", descriptor.urls);
  WriteAnnotations(json, descriptor.annotations);
  WriteText(json, "artifactType", descriptor.artifact_type);
  if (descriptor.platform) {
    json.Key("platform").BeginObject();
    json.Member("architecture", descriptor.platform->architecture);
    json.Member("os", descriptor.platform->os);
    WriteText(json, "os.version", descriptor.platform->os_version);
    WriteTexts(json, "os.features", descriptor.platform->os_features);
    WriteText(json, "variant", descriptor.platform->variant);
    json.EndObject();
  }
  json.EndObject();
}

void WriteDescriptors(JsonWriter& json, std::string_view name, const std::vector<Descriptor>& all) {
  json.Key(name).BeginArray();
  for (const Descriptor& one : all) WriteDescriptor(json, one);
  json.EndArray();
}

// `write` gives what is between the format and what both have.
template <class T>
Result<std::string> Encode(const T& document, auto write) {
  JsonWriter json;
  json.BeginObject().Member("schemaVersion", kSchemaVersion);
  json.Member("mediaType", document.media_type);
  WriteText(json, "artifactType", document.artifact_type);
  write(json);
  if (document.subject) WriteDescriptor(json.Key("subject"), *document.subject);
  WriteAnnotations(json, document.annotations);
  json.EndObject();
  std::string text = std::move(json).Take();
  const Document again = TRY(DecodeDocument(text, document.media_type));
  if (const T* same = std::get_if<T>(&again); same == nullptr || *same != document) {
    return Failure(
        Error::Invalid("the document has a text that is no UTF-8, or is not what its "
                       "media type says"));
  }
  return text;
}

}  // namespace

Result<Document> DecodeDocument(std::string_view json, std::string_view media_type) {
  const std::string sent = Lower(Trim(media_type.substr(0, media_type.find(';'))));
  if (KindOf(sent) == MediaKind::kSchema1) return Failure(Schema1());
  const JsonValue root = TRY(ParseDocument(json, kMaxDocument));
  DocumentFields fields = TRY(DocumentFields::Of(root, ""));
  std::string format = TRY(FormatOf(fields, sent));
  Document document = KindOf(format) == MediaKind::kIndex
                          ? Document(TRY(ReadIndex(fields, std::move(format))))
                          : Document(TRY(ReadManifest(fields, std::move(format))));
  TRY(fields.Finish());
  return document;
}

Result<Manifest> DecodeManifest(std::string_view json, std::string_view media_type) {
  Document document = TRY(DecodeDocument(json, media_type));
  auto* manifest = std::get_if<Manifest>(&document);
  if (manifest == nullptr) {
    return Failure(Error::Invalid("the document is an index, where an image's manifest is due"));
  }
  return std::move(*manifest);
}

Result<Index> DecodeIndex(std::string_view json, std::string_view media_type) {
  Document document = TRY(DecodeDocument(json, media_type));
  auto* index = std::get_if<Index>(&document);
  if (index == nullptr) {
    return Failure(Error::Invalid("the document is an image's manifest, where an index is due"));
  }
  return std::move(*index);
}

Result<void> CheckImage(const Manifest& manifest) {
  const std::string& type = manifest.config.media_type;
  if (KindOf(type) != MediaKind::kConfig) {
    return Failure(NotRead("the manifest is not an image's: its configuration is " + Quoted(type)));
  }
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    auto media = LayerMediaOf(manifest.layers[i].media_type);
    if (!media) {
      return Failure(std::move(media).error().WithContext("\"layers[" + std::to_string(i) + "]\""));
    }
  }
  return {};
}

Result<std::string> EncodeManifest(const Manifest& manifest) {
  return Encode(manifest, [&manifest](JsonWriter& json) {
    WriteDescriptor(json.Key("config"), manifest.config);
    WriteDescriptors(json, "layers", manifest.layers);
  });
}

Result<std::string> EncodeIndex(const Index& index) {
  return Encode(
      index, [&index](JsonWriter& json) { WriteDescriptors(json, "manifests", index.manifests); });
}

}  // namespace cay::templates::oci
