#include "tools/trama/config_file.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/nearest.h"
#include "base/status_macros.h"
#include "runtime/formats/file.h"
#include "runtime/formats/utf8.h"

namespace trama::cli {
namespace {
namespace pb = google::protobuf;

pb::FieldDescriptorProto::Type TypeOf(FlagKind kind) {
  switch (kind) {
    case FlagKind::kBool:
      return pb::FieldDescriptorProto::TYPE_BOOL;
    case FlagKind::kInt:
      return pb::FieldDescriptorProto::TYPE_INT64;
    case FlagKind::kDouble:
      return pb::FieldDescriptorProto::TYPE_DOUBLE;
    case FlagKind::kString:
    case FlagKind::kRepeated:
      break;
  }
  return pb::FieldDescriptorProto::TYPE_STRING;
}

// The flags are the message: there is no second list to keep.
pb::FileDescriptorProto MessageOf(absl::Span<const FlagSpec> specs) {
  pb::FileDescriptorProto file;
  file.set_name("flags.proto");
  pb::DescriptorProto* message = file.add_message_type();
  message->set_name("Flags");
  for (const FlagSpec& spec : specs) {
    if (spec.name == "config") continue;  // a file names no other
    pb::FieldDescriptorProto* field = message->add_field();
    field->set_name(spec.name);
    field->set_number(message->field_size());
    field->set_type(TypeOf(spec.kind));
    field->set_label(spec.kind == FlagKind::kRepeated ? pb::FieldDescriptorProto::LABEL_REPEATED
                                                      : pb::FieldDescriptorProto::LABEL_OPTIONAL);
  }
  return file;
}

// Keeps the first error.
class FirstError : public pb::io::ErrorCollector {
 public:
  FirstError(const std::string& path, absl::Span<const FlagSpec> specs)
      : path_(path), specs_(specs) {}
  void AddError(int line, pb::io::ColumnNumber, const std::string& message) override {
    if (status_.ok())
      status_ = absl::InvalidArgumentError(absl::StrCat(path_, ":", line + 1, ": ", Say(message)));
  }
  const absl::Status& status() const { return status_; }

 private:
  // In the words of the flags where a field is unknown.
  std::string Say(const std::string& message) const {
    constexpr std::string_view kUnknown = "has no field named \"";
    const size_t at = message.find(kUnknown);
    if (at == std::string::npos) return message;
    const size_t begin = at + kUnknown.size();
    const std::string name = message.substr(begin, message.find('"', begin) - begin);
    std::vector<std::string> names;
    for (const FlagSpec& spec : specs_) names.push_back(spec.name);
    return absl::StrCat("unknown field ", name, DidYouMean(name, names));
  }

  const std::string& path_;
  absl::Span<const FlagSpec> specs_;
  absl::Status status_;
};

// As a flag would be written. index: -1 of a field that is not repeated.
std::string ValueOf(const pb::Message& message, const pb::FieldDescriptor* field, int index) {
  const pb::Reflection& values = *message.GetReflection();
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return values.GetBool(message, field) ? "true" : "false";
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(values.GetInt64(message, field));
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrFormat("%.17g", values.GetDouble(message, field));
    default:
      return index < 0 ? values.GetString(message, field)
                       : values.GetRepeatedString(message, field, index);
  }
}

}  // namespace

absl::Status ReadConfigFile(const std::string& path, absl::Span<const FlagSpec> specs,
                            Flags* flags) {
  TRAMA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  pb::DescriptorPool pool;
  const pb::FileDescriptor* file = pool.BuildFile(MessageOf(specs));
  if (!file) return absl::InternalError("the flags make no message");
  pb::DynamicMessageFactory factory(&pool);
  const std::unique_ptr<pb::Message> message(factory.GetPrototype(file->message_type(0))->New());
  FirstError errors(path, specs);
  pb::TextFormat::ParseInfoTree places;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&places);
  if (!parser.ParseFromString(std::string(SkipByteOrderMark(text)), message.get()))
    return errors.status();

  std::vector<const pb::FieldDescriptor*> given;
  message->GetReflection()->ListFields(*message, &given);
  for (const pb::FieldDescriptor* field : given) {
    const bool repeated = field->is_repeated();
    const int count = repeated ? message->GetReflection()->FieldSize(*message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = repeated ? i : -1;
      if (absl::Status status =
              flags->SetUnlessGiven(field->name(), ValueOf(*message, field, index));
          !status.ok())
        return absl::InvalidArgumentError(absl::StrCat(
            path, ":", places.GetLocation(field, index).line + 1, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace trama::cli
