// RecsTableMetadata: what training noted with keys. RecsTableRecords: all keys with that and, where
// asked for, rows and slots (of which `slot_vectors` are vectors, made for `optimizer`).
#include <algorithm>

#include "kernels/keyed_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

// A row of the metadata tensor: count, last step, last time. A key that training never looked up,
// because it is not there or was set by hand, has the last two at -1.
constexpr int kMetadataFields = 3;

void PutMetadata(const RowMetadata& metadata, int64_t* out) {
  const bool seen = metadata.count > 0;
  out[0] = metadata.count;
  out[1] = seen ? int64_t{metadata.last_step} : -1;
  out[2] = seen ? int64_t{metadata.last_time} : -1;
}

template <class K>
class MetadataKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    std::optional<KeyTensor<K>> keys;
    RECS_RETURN_IF_ERROR(ReadKeys<K>(context, &keys));
    const int64_t n = keys->size();
    Tensor* tensor = nullptr;
    RECS_RETURN_IF_ERROR(
        context->allocate_output(0, TensorShape({n, kMetadataFields}), &tensor));
    std::vector<RowMetadata> metadata(n);
    table.Metadata(keys->data(), n, metadata.data());
    int64_t* out = tensor->flat<int64_t>().data();
    for (int64_t i = 0; i < n; ++i) PutMetadata(metadata[i], out + i * kMetadataFields);
    return absl::OkStatus();
  }
};

template <class K>
class RecordsKernel final : public KeyedKernel<K> {
 public:
  explicit RecordsKernel(tensorflow::OpKernelConstruction* context) : KeyedKernel<K>(context) {
    OP_REQUIRES_OK(context, context->GetAttr("with_rows", &with_rows_));
    OP_REQUIRES_OK(context, context->GetAttr("with_slots", &with_slots_));
  }

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    int64_t limit = 0;
    RECS_RETURN_IF_ERROR(ReadScalar(context, "limit", &limit));
    Tensor *keys = nullptr, *metadata = nullptr, *rows = nullptr, *slots = nullptr;
    Tensor *vectors = nullptr, *optimizer = nullptr;
    const int64_t dim = table.dim();
    int64_t slot_floats = 0;
    const RowLayout* layout = nullptr;
    absl::Status status;
    const auto begin = [&](int64_t n, const RowLayout& of_table, const std::string& name) {
      layout = &of_table;
      slot_floats = static_cast<int64_t>(of_table.slot_floats());
      const TensorShape shapes[] = {TensorShape({n}), TensorShape({n, kMetadataFields}),
                                    TensorShape({with_rows_ ? n : 0, dim}),
                                    TensorShape({with_slots_ ? n : 0, slot_floats}),
                                    TensorShape({}), TensorShape({})};
      Tensor** outputs[] = {&keys, &metadata, &rows, &slots, &vectors, &optimizer};
      for (int i = 0; i < 6 && status.ok(); ++i) {
        status = context->allocate_output(i, shapes[i], outputs[i]);
      }
      if (!status.ok()) return false;
      vectors->scalar<int64_t>()() = of_table.slots().vectors;
      optimizer->scalar<tensorflow::tstring>()() = name;
      return true;
    };
    const auto visit = [&](int64_t i, K key, const char* record) {
      using Element = typename KeyTensor<K>::Element;
      keys->flat<Element>()(i) = Element(key);
      PutMetadata(RowLayout::metadata(record),
                  metadata->flat<int64_t>().data() + i * kMetadataFields);
      if (with_rows_) layout->Read(record, rows->flat<float>().data() + i * dim);
      if (with_slots_) {
        std::copy_n(layout->slots(record), slot_floats,
                    slots->flat<float>().data() + i * slot_floats);
      }
    };
    table.VisitRecords(limit, begin, visit);
    return status;
  }

 private:
  bool with_rows_ = false;
  bool with_slots_ = false;
};

RECS_REGISTER_KEYED("RecsTableMetadata", MetadataKernel);
RECS_REGISTER_KEYED("RecsTableRecords", RecordsKernel);

}  // namespace
}  // namespace recs
