#!/usr/bin/python3
"""Recomputes a run of `simulator demo --evidence DIR` with none of its code.

From the raw messages, the card's APDUs and the test keys in DIR it derives every
key again and checks, for each payment of the run:

  - the MAC of every message that has one (0200, 0210, 0420, 0430, 0800, 0810),
  - the PIN that was typed, out of the enciphered PIN block,
  - the card number, out of the enciphered card data,
  - the card's request cryptogram (ARQC) and the issuer's answer to it (ARPC),
  - that the card log holds the same cryptogram and the same answer,
  - the card's signature over that cryptogram and the data of the transaction (CDA).

Only AES and TDES themselves come from elsewhere: from python3-cryptography, that
is from OpenSSL. One line of output begins with "ok" for each thing that held.
Exit code 1 when one did not, 2 when DIR cannot be read.

With --self-test it spoils one thing at a time in a copy of DIR and exits with 1
unless each spoiled copy is found out.
"""

import argparse
import copy
import hashlib
import json
import pathlib
import sys

import evidence_keys as keys
import evidence_wire as wire


class Evidence:
    """The three files that a check needs, parsed."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.keys = json.loads((folder / "test-keys.json").read_text(encoding="utf-8"))
        self.messages = [bytes.fromhex(line["raw"]) for line in json_lines(folder / "messages.jsonl")]
        self.apdus = [line for line in json_lines(folder / "apdus.jsonl") if line["event"] == "apdu"]


def json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Check:
    """Collects what held and what did not."""

    def __init__(self, quiet=False):
        self.ok, self.bad, self.quiet = 0, [], quiet

    def equal(self, what, got, want):
        """Compares bytes or text; a mismatch shows both."""
        if got == want:
            self.ok += 1
            if not self.quiet:
                print("ok", what, shown(got))
            return
        self.bad.append(what)
        if not self.quiet:
            print("MISMATCH %s: got %s, want %s" % (what, shown(got), shown(want)), file=sys.stderr)


def shown(value):
    return value.hex().upper() if isinstance(value, bytes) else str(value)


def verify(evidence, check):
    """Checks everything that evidence holds."""
    k = evidence.keys
    dukpt = keys.dukpt(k["dukpt_scheme"], bytes.fromhex(k["dukpt_initial_key"]), bytes.fromhex(k["dukpt_initial_ksn"]))
    messages = [wire.Message(raw) for raw in evidence.messages]
    answers = {m.stan: m for m in messages if m.mti == "0210"}
    for m in messages:
        verify_mac(m, dukpt, check)
        if m.mti == "0200":
            verify_payment(m, answers.get(m.stan), dukpt, evidence, check)
    for what in ("0200", "0210"):
        check.equal("messages %s in the run" % what, any(m.mti == what for m in messages), True)
    check.equal("payments with an ARPC in the run", any(0x91 in chip_of(m) for m in answers.values()), True)


def chip_of(m):
    return wire.ber(m.elements.get(55, b""))


def verify_mac(m, dukpt, check):
    """The MAC of a request is under the request key, that of an answer under the
    answer key, both of the KSN in DE 63 tag 03."""
    if m.mac is None:
        check.equal("%s STAN %s without MAC is an echo" % (m.mti, m.stan), m.elements[70].hex(), "0301")
        return
    key = dukpt.key(m.private[0x03], "mac_answer" if m.is_answer else "mac_request")
    check.equal("%s STAN %s MAC" % (m.mti, m.stan), m.mac, dukpt.mac(key, m.covered))


def verify_payment(m, answer, dukpt, evidence, check):
    """One 0200 and, when it came, its 0210."""
    k, name = evidence.keys, "0200 STAN %s " % m.stan
    pan, psn = card_of(m, dukpt)
    check.equal(name + "PAN", pan, k["pan"])
    check.equal(name + "PSN", psn, k["psn"])
    block = m.private.get(0x07) or m.elements[52]
    pin = dukpt.pin(dukpt.key(m.private[0x04], "pin"), block, pan)
    if answer is not None and answer.response_code == "55":
        check.equal(name + "PIN is another one, as DE 39 = 55 says", pin != k["pin"], True)
    else:
        check.equal(name + "PIN", pin, k["pin"])
    chip = chip_of(m)
    if (k["cryptogram_profile"], k["imk_option"]) != ("visa_cvn18", "A"):
        raise ValueError("the card is not of cryptogram version 18 with option A")
    session = keys.session_key(keys.card_key(bytes.fromhex(k["imk_ac"]), pan, psn), chip[0x9F36])
    check.equal(name + "ARQC", chip[0x9F26], keys.arqc(session, chip))
    check.equal(name + "ARQC that the card signed", from_card(evidence, chip), chip[0x9F26])
    issuer = chip_of(answer).get(0x91) if answer is not None else None
    if issuer is not None:
        name = "0210 STAN %s " % m.stan
        check.equal(name + "ARPC", issuer[:4], keys.arpc(session, chip[0x9F26], issuer[4:]))
        check.equal(name + "ARPC in the card log", to_card(evidence, chip[0x9F36]), issuer)


def card_of(m, dukpt):
    """PAN and PSN of the enciphered card data, DE 63 tag 06."""
    blob = m.private[0x06]
    iv, data = blob[1 : 1 + blob[0]], blob[1 + blob[0] :]
    clear = dukpt.decipher(dukpt.key(m.private[0x05], "data"), iv, data).rstrip(b"\x00")
    if clear[-1:] != b"\x80":
        raise ValueError("the padding of the card data is wrong")
    tags = wire.ber(clear[:-1])
    pan = tags[0x57].hex().split("d")[0] if 0x57 in tags else tags[0x5A].hex().rstrip("f")
    return pan, tags[0x5F34].hex()


def from_card(evidence, chip):
    """The cryptogram out of the combined signature of the card's answer to the
    first GENERATE AC (EMV Book 2, 6.6.2). Anything wrong with it is a ValueError."""
    for line in evidence.apdus:
        if line["name"] != "generate_ac_1":
            continue
        command, answer = bytes.fromhex(line["command"].replace(" ", "")), bytes.fromhex(line["response"].replace(" ", ""))
        template = wire.ber(answer[:-2] if answer[-2:] == b"\x90\x00" else answer)[0x77]
        objects = wire.ber(template)
        if objects[0x9F36] == chip[0x9F36]:
            return combined_signature(evidence, chip, command[5 : 5 + command[4]], template, objects)
    raise ValueError("the card log has no ARQC with this ATC")


def combined_signature(evidence, chip, cdol, template, objects):
    """Opens the signature, tag 9F4B, which is the last object of the answer."""
    n, e = (int(evidence.keys["icc_" + part], 16) for part in ("modulus", "exponent"))
    size = (n.bit_length() + 7) // 8
    block = pow(int.from_bytes(objects[0x9F4B], "big"), e, n).to_bytes(size, "big")
    if block[:3] != b"\x6a\x05\x01" or block[-1:] != b"\xbc":
        raise ValueError("the card's signature does not open")
    if hashlib.sha1(block[1:-21] + chip[0x9F37]).digest() != block[-21:-1]:
        raise ValueError("the card's signature is over another unpredictable number")
    dynamic = block[4 : 4 + block[3]]
    rest = dynamic[1 + dynamic[0] :]
    signed = cdol + template[: template.rindex(b"\x9f\x4b")]
    # The list of this card for GET PROCESSING OPTIONS is empty and adds nothing.
    if rest[:1] != b"\x80" or hashlib.sha1(signed).digest() != rest[9:29]:
        raise ValueError("the card's signature is over another transaction")
    return rest[1:9]


def to_card(evidence, atc):
    """The data of the EXTERNAL AUTHENTICATE that the card got with this ATC."""
    for line in evidence.apdus:
        if line["name"] == "external_authenticate" and line["atc"] == int.from_bytes(atc, "big"):
            command = bytes.fromhex(line["command"])
            return command[5 : 5 + command[4]]
    raise ValueError("the card log has no EXTERNAL AUTHENTICATE with this ATC")


def attempt(evidence, quiet=False):
    """Verifies; evidence that cannot even be read counts as a mismatch."""
    check = Check(quiet)
    try:
        verify(evidence, check)
    except (ValueError, KeyError, IndexError) as e:
        check.bad.append("reading: %s" % e)
        if not quiet:
            print("MISMATCH reading: %r" % e, file=sys.stderr)
    return check


def spoil(evidence, mti, old, at=0):
    """A copy of evidence in which one bit of the first message of type mti is
    turned, in byte at of the part old."""
    spoiled = copy.deepcopy(evidence)
    for i, raw in enumerate(spoiled.messages):
        if raw[:2].hex() == mti:
            where = raw.index(old) + at
            spoiled.messages[i] = raw[:where] + bytes([raw[where] ^ 1]) + raw[where + 1 :]
            return spoiled
    raise ValueError("no %s" % mti)


def spoiled_copies(evidence):
    """What is spoiled, the copy, and the end of the name of a check that must
    then fail."""
    first = {}
    for raw in evidence.messages:
        first.setdefault(raw[:2].hex(), wire.Message(raw))
    request, answer = first["0200"], first["0210"]
    block = request.private.get(0x07) or request.elements[52]
    yield "0200 amount", spoil(evidence, "0200", request.elements[4], 5), "MAC"
    yield "0200 MAC", spoil(evidence, "0200", request.mac, 7), "MAC"
    yield "0200 PIN block", spoil(evidence, "0200", block), "PIN"
    yield "0200 card data", spoil(evidence, "0200", request.private[0x06], 3), "PAN"
    yield "0200 ARQC", spoil(evidence, "0200", chip_of(request)[0x9F26]), "ARQC"
    yield "0200 TVR in DE 55", spoil(evidence, "0200", b"\x95\x05" + chip_of(request)[0x95], 2), "ARQC"
    yield "0210 response code", spoil(evidence, "0210", answer.elements[39] + answer.elements[41], 1), "MAC"
    yield "0210 ARPC", spoil(evidence, "0210", chip_of(answer)[0x91]), "ARPC"
    yield "0210 MAC", spoil(evidence, "0210", answer.mac), "MAC"
    for key in ("dukpt_initial_key", "imk_ac", "pin"):
        spoiled = copy.deepcopy(evidence)
        digits = spoiled.keys[key]
        spoiled.keys[key] = digits[0:1] + ("2" if digits[1] != "2" else "4") + digits[2:]
        yield key, spoiled, {"dukpt_initial_key": "MAC", "imk_ac": "ARQC", "pin": "PIN"}[key]


def self_test(evidence):
    """Each spoiled copy must be found out by the check that is meant to."""
    missed = 0
    for what, spoiled, name in spoiled_copies(evidence):
        bad = attempt(spoiled, quiet=True).bad
        # A block that no longer deciphers to a PIN or to card data ends the reading.
        found = any(b.endswith(name) for b in bad) or (name in ("PIN", "PAN") and any(b.startswith("reading") for b in bad))
        print("%s spoiled %s: %s" % ("ok" if found else "MISSED", what, "; ".join(bad) or "nothing found"))
        missed += not found
    return missed


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folder", metavar="DIR")
    p.add_argument("--self-test", action="store_true", help="spoil copies and demand that each is found out")
    arguments = p.parse_args()
    try:
        evidence = Evidence(arguments.folder)
    except (OSError, ValueError, KeyError) as e:
        print("the evidence cannot be read: %s" % e, file=sys.stderr)
        return 2
    check = attempt(evidence)
    if check.bad:
        print("%d held, %d did not" % (check.ok, len(check.bad)), file=sys.stderr)
        return 1
    return 1 if arguments.self_test and self_test(evidence) else 0


if __name__ == "__main__":
    sys.exit(main())
