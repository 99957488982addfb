"""The messages of docs/terminal-interface.md, read with no other code."""

# Bytes of the fixed elements; 0 is LLLVAR with a length of 2 BCD bytes.
ELEMENTS = {
    3: 3, 4: 6, 7: 5, 11: 3, 12: 3, 13: 2, 22: 2, 23: 2, 24: 2, 25: 1, 26: 1, 37: 12, 38: 6, 39: 2, 41: 8, 42: 15,
    49: 2, 52: 8, 54: 0, 55: 0, 63: 0, 64: 8, 66: 1, 70: 2, 90: 21, 95: 21, 128: 8,
}  # fmt: skip


class Message:
    """One message: elements by number, DE 63 by tag, the MAC and what it covers."""

    def __init__(self, raw):
        self.mti = raw[:2].hex()
        width = 16 if raw[2] & 0x80 else 8
        bitmap = int.from_bytes(raw[2 : 2 + width], "big")
        self.elements, at = {}, 2 + width
        for number in range(2, width * 8 + 1):
            if not bitmap >> (width * 8 - number) & 1:
                continue
            if number not in ELEMENTS:
                raise ValueError("DE %d is not expected" % number)
            size = ELEMENTS[number]
            if size == 0:
                size, at = int(raw[at : at + 2].hex()), at + 2
            if at + size > len(raw):
                raise ValueError("DE %d is cut off" % number)
            self.elements[number], at = raw[at : at + size], at + size
        if at != len(raw):
            raise ValueError("bytes after the last element")
        last = 128 if width == 16 else 64
        self.mac = self.elements.get(last)
        self.covered = raw[:-8]
        self.stan = self.elements[11].hex()
        self.private = private(self.elements.get(63, b""))

    @property
    def is_answer(self):
        return self.mti[2] in "13"

    @property
    def response_code(self):
        return self.elements[39].decode("ascii")


def private(data):
    """DE 63: tag of 1, length of 2 bytes."""
    tags, at = {}, 0
    while at < len(data):
        tag, size = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
        value = data[at + 3 : at + 3 + size]
        if len(value) != size or tag in tags:
            raise ValueError("DE 63 is broken")
        tags[tag], at = value, at + 3 + size
    return tags


def ber(data):
    """BER-TLV with tags of 1 or 2 bytes and lengths below 256, each tag once."""
    tags, at = {}, 0
    while at < len(data):
        width = 2 if data[at] & 0x1F == 0x1F else 1
        tag, at = int.from_bytes(data[at : at + width], "big"), at + width
        size, at = data[at], at + 1
        if size == 0x81:
            size, at = data[at], at + 1
        elif size > 0x7F:
            raise ValueError("a length is too long")
        value = data[at : at + size]
        if len(value) != size or tag in tags:
            raise ValueError("the TLV is broken")
        tags[tag], at = value, at + size
    return tags
