// What the kernels of saved states share.
#ifndef RECS_KERNELS_STATE_KERNEL_H_
#define RECS_KERNELS_STATE_KERNEL_H_

#include <string>
#include <string_view>

#include "kernels/table_kernel.h"
#include "table/snapshot.h"

namespace recs {

// Calls work(table, typed_table) with the type of the table's keys.
template <class Work>
auto WithTypedTable(TableBase& base, const Work& work) {
  if (auto* table = dynamic_cast<Table<int64_t>*>(&base)) return work(*table);
  return work(static_cast<Table<std::string_view>&>(base));
}

inline std::string TextOf(const tensorflow::Tensor& scalar) {
  return std::string(scalar.scalar<tensorflow::tstring>()());
}

inline absl::Status ParseCursor(const std::string& text, Cursor* cursor) {
  if (Cursor::FromText(text, cursor)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "`since` must be a cursor as a base or a delta gave it. Received: '", text,
      "' (in a table's delta)."));
}

// What is saved, from an op's attributes and its input of a cursor.
struct SaveAttributes {
  std::string kind;
  bool slots = true;

  absl::Status Read(tensorflow::OpKernelConstruction* context) {
    RECS_RETURN_IF_ERROR(context->GetAttr("kind", &kind));
    return context->GetAttr("slots", &slots);
  }
  absl::Status Options(const tensorflow::Tensor& since, WriteOptions* options) const {
    if (kind == "base") options->kind = SnapshotKind::kBase;
    if (kind == "delta") options->kind = SnapshotKind::kDelta;
    options->slots = slots;
    return ParseCursor(TextOf(since), &options->since);
  }
};

}  // namespace recs

#endif  // RECS_KERNELS_STATE_KERNEL_H_
