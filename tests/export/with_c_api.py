"""Run as a script: runs SavedModels through TensorFlow's C API, with none of its Python.

That is how TensorFlow Serving runs them: a session on the graph, and tensors fed by name. The
arguments are the library, a pickled list of `(path, feeds, fetches)`, and where to write the
pickled list of outputs.
"""

from __future__ import annotations

import ctypes
import pickle
import sys
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_void_p

import numpy as np

NUMBERS = {1: np.float32, 3: np.int32, 9: np.int64}
CODES = {np.dtype(kind): code for code, kind in NUMBERS.items()}
STRING, STRING_SIZE = 7, 24
RETURN_POINTERS = (
    "TF_NewStatus",
    "TF_NewGraph",
    "TF_NewSessionOptions",
    "TF_LoadSessionFromSavedModel",
    "TF_GraphOperationByName",
    "TF_AllocateTensor",
    "TF_TensorData",
)


class Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


class Api:
    def __init__(self, library: str) -> None:
        self.lib = ctypes.CDLL(library)
        for name in RETURN_POINTERS:
            getattr(self.lib, name).restype = c_void_p
        self.lib.TF_Message.restype = c_char_p
        self.lib.TF_Dim.restype = c_int64
        self.lib.TF_TensorByteSize.restype = c_size_t
        self.lib.TF_StringGetDataPointer.restype = c_void_p
        self.lib.TF_StringGetSize.restype = c_size_t
        self.status = c_void_p(self.lib.TF_NewStatus())

    def check(self) -> None:
        if self.lib.TF_GetCode(self.status):
            raise RuntimeError(self.lib.TF_Message(self.status).decode())

    def tensor(self, value: np.ndarray) -> c_void_p:
        code = CODES.get(value.dtype, STRING)
        size = value.size * STRING_SIZE if code == STRING else value.nbytes
        dims = (c_int64 * value.ndim)(*value.shape)
        tensor = c_void_p(self.lib.TF_AllocateTensor(code, dims, value.ndim, c_size_t(size)))
        data = self.lib.TF_TensorData(tensor)
        if code != STRING:
            ctypes.memmove(data, np.ascontiguousarray(value).ctypes.data, size)
            return tensor
        for i, text in enumerate(value.reshape(-1)):
            place = c_void_p(data + i * STRING_SIZE)
            self.lib.TF_StringInit(place)
            self.lib.TF_StringCopy(place, c_char_p(text), c_size_t(len(text)))
        return tensor

    def array(self, tensor: c_void_p) -> np.ndarray:
        shape = [self.lib.TF_Dim(tensor, i) for i in range(self.lib.TF_NumDims(tensor))]
        code, data = self.lib.TF_TensorType(tensor), self.lib.TF_TensorData(tensor)
        if code != STRING:
            raw = ctypes.string_at(data, self.lib.TF_TensorByteSize(tensor))
            return np.frombuffer(raw, NUMBERS[code]).reshape(shape)
        texts = np.empty(int(np.prod(shape)), object)
        for i in range(len(texts)):
            place = c_void_p(data + i * STRING_SIZE)
            start, size = self.lib.TF_StringGetDataPointer(place), self.lib.TF_StringGetSize(place)
            texts[i] = ctypes.string_at(start, size)
        return texts.reshape(shape)

    def run(self, path: str, feeds: dict, fetches: dict) -> dict:
        graph = c_void_p(self.lib.TF_NewGraph())
        options = c_void_p(self.lib.TF_NewSessionOptions())
        session = c_void_p(
            self.lib.TF_LoadSessionFromSavedModel(
                options, None, path.encode(), (c_char_p * 1)(b"serve"), 1, graph, None, self.status
            )
        )
        self.check()

        def output(name: str) -> Output:
            operation, _, index = name.partition(":")
            found = self.lib.TF_GraphOperationByName(graph, operation.encode())
            assert found, f"the graph has no operation '{operation}'"
            return Output(found, int(index or 0))

        inputs = (Output * len(feeds))(*map(output, feeds))
        values = (c_void_p * len(feeds))(*[self.tensor(value).value for value in feeds.values()])
        outputs = (Output * len(fetches))(*map(output, fetches.values()))
        results = (c_void_p * len(fetches))()
        self.lib.TF_SessionRun(
            session, None, inputs, values, len(feeds), outputs, results, len(fetches),
            None, 0, None, self.status,
        )  # fmt: skip
        self.check()
        return {n: self.array(c_void_p(r)) for n, r in zip(fetches, results, strict=True)}


def main(library: str, requests: str, answers: str) -> None:
    with open(requests, "rb") as file:
        wanted = pickle.load(file)
    api = Api(library)
    outputs = [api.run(*request) for request in wanted]
    assert "tensorflow" not in sys.modules
    with open(answers, "wb") as file:
        pickle.dump(outputs, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
