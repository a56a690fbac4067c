"""THREAD: which message answers which (RFC 5256 section 3, after the algorithm of Jamie Zawinski).

Links are made in two rounds, a message's own parent first, then what others say of its ancestors: so no link is ever
taken back, and whether one would close a loop is a question to a union-find. Near linear, and without recursion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bmgate.imap.sort import Item


@dataclass(slots=True, eq=False)
class Node:
    """A message, or a place where one is missing; what a message says of its own parent counts alone."""

    item: Item | None = None
    parent: "Node | None" = None
    root: "Node | None" = None  # the way to the root of its tree, shortened when it is gone
    children: list["Node"] = field(default_factory=list)

    @property
    def first(self) -> Item:
        """Its message, or that of its first child: what stands for it where it is compared."""
        node = self
        while node.item is None:
            node = node.children[0]
        return node.item

    @property
    def names_parent(self) -> bool:
        """Whether its message says whom it answers, even when that was no parent for it."""
        return self.item is not None and bool(self.item.references)

    @property
    def order(self) -> tuple[int, int]:
        return self.first.date, self.first.place


def thread_by_references(items: Sequence[Item]) -> list[Node]:
    """The roots, ordered by date; every item is in one of the trees."""
    nodes, known = _containers(items)
    for node, item in zip(nodes, items, strict=True):
        if item.references:
            _link(known[item.references[-1]], node)
    for item in items:
        for above, below in pairwise(item.references):
            if not known[below].names_parent:
                _link(known[above], known[below])
    everyone = [*nodes, *(node for node in known.values() if node.item is None)]
    for node in everyone:
        if node.parent is not None:
            node.parent.children.append(node)
    roots = _prune([node for node in everyone if node.parent is None])
    for root in roots:
        _sort_below(root)
    roots = _merge_subjects(sorted(roots, key=lambda node: node.order))
    for root in roots:
        root.children.sort(key=lambda node: node.order)
    return sorted(roots, key=lambda node: node.order)


def thread_by_subject(items: Sequence[Item]) -> list[Node]:
    """ORDEREDSUBJECT: all of one subject below the oldest of them."""
    groups: dict[str, Node] = {}
    for item in sorted(items, key=lambda item: (item.date, item.place)):
        node = Node(item)
        root = groups.setdefault(item.subject, node)
        if root is not node:
            root.children.append(node)
    return list(groups.values())


def _containers(items: Sequence[Item]) -> tuple[list[Node], dict[str, Node]]:
    """A node for each item, and by Message-ID for all that is named; the first of equal ids has the name."""
    known: dict[str, Node] = {}
    nodes = []
    for item in items:
        node = Node(item)
        nodes.append(node)
        if item.message_id:
            known.setdefault(item.message_id, node)
    for item in items:
        for name in item.references:
            if name not in known:
                known[name] = Node()
    return nodes, known


def _link(parent: Node, child: Node) -> None:
    """Put `child` below `parent`, unless it has a place already or is above it."""
    if child.parent is None and _root(parent) is not child:
        child.parent = child.root = parent


def _root(node: Node) -> Node:
    way = []
    while node.root is not None:
        way.append(node)
        node = node.root
    for passed in way:
        passed.root = node
    return node


def _prune(roots: Sequence[Node]) -> list[Node]:
    """Without missing messages that hold nothing together (step 3)."""
    ordered, waiting = list[Node](), list(roots)
    while waiting:
        node = waiting.pop()
        ordered.append(node)
        waiting += node.children
    for node in reversed(ordered):
        if len(node.children) == 1 and node.children[0].item is None:
            node.children = node.children[0].children
        elif any(child.item is None for child in node.children):
            node.children = [kept for child in node.children for kept in _kept(child)]
    return [kept for root in roots for kept in (_kept(root) if len(root.children) <= 1 else [root])]


def _kept(node: Node) -> Iterable[Node]:
    return node.children if node.item is None else (node,)


def _merge_subjects(roots: Sequence[Node]) -> list[Node]:
    """Trees of one base subject become one (step 5)."""
    by_subject: dict[str, Node] = {}
    for root in roots:
        subject = root.first.subject
        former = by_subject.get(subject)
        if subject and (former is None or _is_better(root, former)):
            by_subject[subject] = root
    merged = {id(root): root for root in roots}
    for root in roots:
        former = by_subject.get(root.first.subject)
        if former is None or former is root:
            continue
        if former.item is None:
            former.children += root.children if root.item is None else [root]
        elif root.first.is_reply and not former.first.is_reply:
            former.children.append(root)
        else:
            both = Node(children=[former, root])
            by_subject[root.first.subject] = both
            merged[id(both)] = both
            del merged[id(former)]
        del merged[id(root)]
    return list(merged.values())


def _is_better(root: Node, former: Node) -> bool:
    """Whether `root` is the one the others of its subject go below."""
    if former.item is None:
        return False
    return root.item is None or (former.first.is_reply and not root.first.is_reply)


def _sort_below(root: Node) -> None:
    ordered, waiting = list[Node](), [root]
    while waiting:
        node = waiting.pop()
        ordered.append(node)
        waiting += node.children
    for node in reversed(ordered):
        node.children.sort(key=lambda child: child.order)


def write_threads(roots: Iterable[Node], numbers: Sequence[int]) -> bytes:
    """The thread lists, with `numbers[place]` for each message."""
    out: list[bytes] = []
    waiting: list[Node | bytes] = list(roots)
    waiting.reverse()
    while waiting:
        node = waiting.pop()
        if isinstance(node, bytes):
            out.append(node)
            continue
        out.append(b"(")
        if node.item is not None:
            out.append(b"%d" % numbers[node.item.place])
        while len(node.children) == 1:
            node = node.children[0]
            out.append(b" %d" % numbers[node.first.place])
        if node.children:
            out.append(b" " if node.item is not None else b"")
            waiting.append(b")")
            waiting += reversed(node.children)
        else:
            out.append(b")")
    return b"".join(out)
