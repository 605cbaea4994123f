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

// The input `since`.
inline absl::Status ReadSince(tensorflow::OpKernelContext* context, Cursor* cursor) {
  std::string text;
  RECS_RETURN_IF_ERROR(ReadScalar(context, "since", &text));
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
  absl::Status Options(tensorflow::OpKernelContext* context, WriteOptions* options) const {
    if (kind == "base") options->kind = SnapshotKind::kBase;
    if (kind == "delta") options->kind = SnapshotKind::kDelta;
    options->slots = slots;
    return ReadSince(context, &options->since);
  }
};

}  // namespace recs

#endif  // RECS_KERNELS_STATE_KERNEL_H_
