"""Ways to damage a file, drawn by Hypothesis: its bytes, the values of its JSON, the arrays of its HDF5 or `.npz`."""

import json
import string

import h5py
import numpy as np
from hypothesis import strategies as st

from mgail_dyna.seal import is_whole, seal

# Where, as a share of the file; what; and bytes for it.
_EDIT = st.tuples(
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(("flip", "write", "insert", "cut", "end", "repeat")),
    st.binary(min_size=1, max_size=16),
)
EDITS = st.lists(_EDIT, min_size=1, max_size=4)
_TEXT = st.text(string.printable + "é\0\ud800", max_size=12)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | _TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(_TEXT, children, max_size=3),
    max_leaves=5,
)
_SHAPES = st.lists(st.integers(0, 9), max_size=4).map(tuple) | st.just((2**40,)) | st.just((2**33, 4))
ARRAYS = st.tuples(_SHAPES, st.sampled_from(("f4", "f8", "f2", "i1", "i8", "u8", "?", "c8", "S4", "O")), st.floats())
# Which of the nodes, by their order, and what becomes of it.
NODES = st.lists(st.tuples(st.integers(0, 10**6), st.none() | ARRAYS), min_size=1, max_size=3)
PLACES = st.lists(st.tuples(st.integers(0, 10**6), st.just("remove") | st.tuples(JSON_VALUES)), min_size=1, max_size=3)


def damage_bytes(path, edits):
    """Changes bytes, without mending the checksum."""
    content = bytearray(path.read_bytes())
    for share, what, given in edits:
        at = int(share * len(content))
        if what == "flip" and content:
            content[at] ^= 1 << given[0] % 8
        elif what == "write":
            content[at : at + len(given)] = given
        elif what == "insert":
            content[at:at] = given
        elif what == "cut":
            del content[at : at + 64 * len(given)]
        elif what == "end":
            del content[at:]
        elif what == "repeat":
            content[at:at] = content[at : at + 64 * len(given)]
    path.write_bytes(bytes(content))


def damage_bytes_and_seal(path, edits):
    """Changes bytes of what a checksum covers, and mends the checksum: as if a program had written it so."""
    if is_whole(path):
        path.write_bytes(path.read_bytes().rpartition(b"\nsha256 ")[0])
    damage_bytes(path, edits)
    seal(path)


def damage_json(path, places):
    """Puts other values in the place of some, or leaves them out."""
    tree = json.loads(path.read_text())
    for number, value in places:
        nodes = [(node, key) for node in _containers(tree) for key in _keys(node)]
        if not nodes:
            break
        node, key = nodes[number % len(nodes)]
        if value == "remove":
            del node[key]
        else:
            node[key] = value[0]
    path.write_text(json.dumps(tree))


def _keys(node):
    return list(node) if isinstance(node, dict) else range(len(node))


def _containers(tree):
    if isinstance(tree, dict | list):
        yield tree
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from _containers(child)


def damage_hdf5(path, nodes):
    """Puts arrays of other shapes and types in the place of some, or leaves them out; a checksum is mended."""
    sealed = is_whole(path)
    if sealed:
        path.write_bytes(path.read_bytes().rpartition(b"\nsha256 ")[0])
    with h5py.File(path, "r+") as file:
        for number, array in nodes:
            names = []
            file.visit(names.append)
            if names:
                name = names[number % len(names)]
                del file[name]
                if array is not None:
                    _put(file, name, *array)
    if sealed:
        seal(path)


def _put(file, name, shape, dtype, value):
    if dtype == "O":
        file.create_dataset(name, data="{" * max(len(shape), 1))
    elif np.prod(shape, dtype=float) > 1e6:  # says it is large; nothing is stored
        file.create_dataset(name, shape, "f4" if dtype == "S4" else dtype, chunks=(1024, *shape[1:]))
    else:
        file.create_dataset(name, data=_array(shape, dtype, value))


def _array(shape, dtype, value):
    with np.errstate(all="ignore"):
        return np.full(shape, "x" if dtype == "S4" else value).astype(dtype)


def damage_npz(path, nodes):
    """Puts arrays of other shapes and types in the place of some, or leaves them out."""
    with np.load(path) as file:
        arrays = dict(file)
    for number, array in nodes:
        name = sorted(arrays)[number % len(arrays)] if arrays else "lengths"
        arrays.pop(name, None)
        if array is not None and np.prod(array[0], dtype=float) <= 1e6:
            arrays[name] = np.array([{}]) if array[1] == "O" else _array(*array)
    np.savez(path, **arrays)
