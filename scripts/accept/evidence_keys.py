"""Key derivation, MACs, PIN blocks and EMV cryptograms, written from the standards.

AES and TDES come from python3-cryptography; everything above them is here. All
values are bytes unless said otherwise.
"""

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _run(algorithm, mode, data, decrypt=False):
    cipher = Cipher(algorithm, mode)
    context = cipher.decryptor() if decrypt else cipher.encryptor()
    return context.update(data) + context.finalize()


def des(key, block):
    return _run(algorithms.TripleDES(key * 3), modes.ECB(), block)


def tdes(key, block, decrypt=False):
    return _run(algorithms.TripleDES(key + key[:8]), modes.ECB(), block, decrypt)


def aes(key, block, decrypt=False):
    return _run(algorithms.AES(key), modes.ECB(), block, decrypt)


def retail_mac(key, data, padding):
    """ISO/IEC 9797-1 algorithm 3 with DES; padding 1 is zeros where needed, 2 is
    80 and then zeros."""
    if padding == 2:
        data += b"\x80"
    data += bytes(-len(data) % 8)
    state = bytes(8)
    for i in range(0, len(data) - 8, 8):
        state = des(key[:8], xor(state, data[i : i + 8]))
    return tdes(key, xor(state, data[-8:]))


class AESDUKPT:
    """ANSI X9.24-3:2017 with an AES-128 initial key; KSNs of 12 bytes."""

    USAGES = {"pin": 0x1000, "mac_request": 0x2000, "mac_answer": 0x2001, "data": 0x3000}
    DERIVATION = 0x8000

    def __init__(self, initial_key, initial_ksn):
        self.initial_key, self.key_set = initial_key, initial_ksn[:8]

    @staticmethod
    def _derive(key, usage, identity):
        head = bytes([1, 1]) + usage.to_bytes(2, "big") + (2).to_bytes(2, "big") + (128).to_bytes(2, "big")
        return aes(key, head + identity)

    def key(self, ksn, use):
        """The working key of a KSN for one of USAGES."""
        if len(ksn) != 12 or ksn[:8] != self.key_set:
            raise ValueError("the KSN is not of this key set")
        key, counter, reached = self.initial_key, int.from_bytes(ksn[8:], "big"), 0
        for bit in range(31, -1, -1):
            if counter >> bit & 1:
                reached |= 1 << bit
                key = self._derive(key, self.DERIVATION, ksn[4:8] + reached.to_bytes(4, "big"))
        return self._derive(key, self.USAGES[use], ksn[4:12])

    @staticmethod
    def mac(key, data):
        c = cmac.CMAC(algorithms.AES(key))
        c.update(data)
        return c.finalize()[:8]

    @staticmethod
    def decipher(key, iv, data):
        return _run(algorithms.AES(key), modes.CBC(iv), data, decrypt=True)

    @staticmethod
    def pin(key, block, pan):
        """ISO 9564-1 format 4: the PAN field is between two decipherments."""
        digits = "%d%s" % (max(len(pan) - 12, 0), pan.zfill(12))
        field = aes(key, xor(aes(key, block, True), bytes.fromhex(digits.ljust(32, "0"))), True).hex()
        return _pin_of(field, "4", "a", 16)


class TDESDUKPT:
    """ANSI X9.24-1:2009; KSNs of 10 bytes with a counter of 21 bits."""

    VARIANTS = {
        "pin": 0x00000000000000FF,
        "mac_request": 0x000000000000FF00,
        "mac_answer": 0x00000000FF000000,
        "data": 0x0000000000FF0000,
    }
    HALF = bytes.fromhex("C0C0C0C000000000" * 2)
    COUNTER = (1 << 21) - 1

    def __init__(self, initial_key, initial_ksn):
        self.initial_key = initial_key
        self.key_set = int.from_bytes(initial_ksn, "big") & ~self.COUNTER

    def _half(self, key, register):
        return xor(des(key[:8], xor(register, key[8:])), key[8:])

    def key(self, ksn, use):
        """The working key of a KSN for one of VARIANTS."""
        number = int.from_bytes(ksn, "big")
        if len(ksn) != 10 or number & ~self.COUNTER != self.key_set:
            raise ValueError("the KSN is not of this key set")
        key, reached = self.initial_key, number & ~self.COUNTER
        for bit in range(20, -1, -1):
            if number >> bit & 1:
                reached |= 1 << bit
                register = (reached & (1 << 64) - 1).to_bytes(8, "big")
                key = self._half(xor(key, self.HALF), register) + self._half(key, register)
        key = xor(key, self.VARIANTS[use].to_bytes(8, "big") * 2)
        if use == "data":
            key = tdes(key, key)
        return key

    @staticmethod
    def mac(key, data):
        return retail_mac(key, data, 1)

    @staticmethod
    def decipher(key, iv, data):
        return _run(algorithms.TripleDES(key + key[:8]), modes.CBC(iv), data, decrypt=True)

    @staticmethod
    def pin(key, block, pan):
        """ISO 9564-1 format 0: the PAN field is the twelve digits before the
        check digit."""
        field = xor(tdes(key, block, True), bytes.fromhex(pan[:-1][-12:].zfill(16))).hex()
        return _pin_of(field, "0", "f", 16)


def _pin_of(field, form, filler, fill_end):
    """The PIN in a deciphered PIN field, whose format and filler must be right."""
    length = int(field[1], 16)
    pin = field[2 : 2 + length]
    if field[0] != form or not 4 <= length <= 12 or not pin.isdecimal():
        raise ValueError("the PIN field is not of format %s" % form)
    if set(field[2 + length : fill_end]) - {filler}:
        raise ValueError("the filler of the PIN field is wrong")
    return pin


def dukpt(scheme, initial_key, initial_ksn):
    return {"aes": AESDUKPT, "tdes": TDESDUKPT}[scheme](initial_key, initial_ksn)


def card_key(master, pan, psn):
    """EMV Book 2, A1.4.1: option A."""
    y = bytes.fromhex((pan + psn)[-16:].zfill(16))
    return tdes(master, y) + tdes(master, xor(y, b"\xff" * 8))


def session_key(key, atc):
    """EMV Book 2, A1.3: the common session key."""
    return tdes(key, atc + b"\xf0" + bytes(5)) + tdes(key, atc + b"\x0f" + bytes(5))


# What enters the cryptogram of version 18, in this order.
CVN18 = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36, 0x9F10)


def arqc(session, chip):
    """EMV Book 2, 8.1, over the objects of CVN18 in DE 55."""
    return retail_mac(session, b"".join(chip[tag] for tag in CVN18), 2)


def arpc(session, cryptogram, rest):
    """EMV Book 2, 8.2.2: 4 bytes; rest is the card status update and what else
    follows in tag 91."""
    return retail_mac(session, cryptogram + rest, 2)[:4]
