#!/usr/bin/env python3
"""A SCADA master made with pymodbus against a running site: reads, commands under a lease, and is refused.

    scada_client.py HOST PORT JSON

JSON names the registers: {"command", "state", "heartbeat", "power", "soc"}: the value of a power command in W, its state
(quality, lease left in 0.1 s, lease, lowest and highest value), the heartbeat of this writer, the output that follows the
command, and the point of the state of charge. Prints one JSON line; the exit code is 0 when everything held, else 1.
"""
import json
import math
import sys
import time

from pymodbus.client import ModbusTcpClient

POWER_W = -1500.0
# the site allows ten writes a second, refused ones too
WRITE_GAP_S = 0.12
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, BUSY = 1, 2, 3, 6


class Wrong(Exception):
    """The site did something that its documents do not say."""


def expect(condition, what):
    if not condition:
        raise Wrong(what)


class Master:
    """Reads and writes; an exception of the site is its code."""

    def __init__(self, host, port):
        self.client = ModbusTcpClient(host, port=port, timeout=3, retries=0)
        self.wrote_s = 0.0
        expect(self.client.connect(), f"no connection to {host}:{port}")

    def words(self, address, count):
        answer = self.client.read_holding_registers(address, count=count, device_id=1)
        expect(not answer.isError(), f"reading {count} registers at {address}: {answer}")
        return answer.registers

    def real(self, address):
        return self.client.convert_from_registers(self.words(address, 2), self.client.DATATYPE.FLOAT32)

    def write(self, address, words):
        """None when taken, else the exception code."""
        while time.monotonic() < self.wrote_s + WRITE_GAP_S:
            time.sleep(0.01)
        self.wrote_s = time.monotonic()
        return self.write_now(address, words)

    def write_now(self, address, words):
        answer = self.client.write_registers(address, words, device_id=1)
        return answer.exception_code if answer.isError() else None

    def write_one(self, address, word):
        answer = self.client.write_register(address, word, device_id=1)
        return answer.exception_code if answer.isError() else None

    def write_real(self, address, value):
        return self.write(address, self.client.convert_to_registers(value, self.client.DATATYPE.FLOAT32))


def until(what, seconds, condition):
    """Looks until it holds; the time that this took, s."""
    began_s = time.monotonic()
    while True:
        last_look = time.monotonic() > began_s + seconds
        if condition():
            return time.monotonic() - began_s
        if last_look:
            raise Wrong(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def armed(master):
    # register 4 is the state of the site; the power output moves only once it is armed
    until("state of charge", 15, lambda: 0 <= master.real(master.at["soc"]) <= 100)


def follows(master):
    at = master.at
    expect(math.isnan(master.real(at["command"])), "a command is in force that nobody gave")
    expect(master.words(at["state"], 1)[0] != 0, "a command that nobody gave is good")
    expect(master.write_real(at["command"], POWER_W) is None, "the command is refused")
    until("the command is read back", 2, lambda: master.real(at["command"]) == POWER_W)
    return until("the battery follows", 10, lambda: abs(master.real(at["power"]) - POWER_W) < 1)


def lease(master):
    at = master.at
    state = master.words(at["state"], 8)
    lease_ms = state[2] << 16 | state[3]
    expect(lease_ms == 10_000, f"the lease is {lease_ms} ms")
    beats = 0
    for _ in range(2):
        until("the lease runs down", 5, lambda: 0 < master.words(at["state"], 2)[1] < lease_ms // 100 - 15)
        beats += 1
        expect(master.write(at["heartbeat"], [beats]) is None, "the heartbeat is refused")
        until("the heartbeat renews the lease", 2, lambda: master.words(at["state"], 2)[1] > lease_ms // 100 - 5)
        expect(master.words(at["heartbeat"], 1) == [beats], "the heartbeat is not read back")
    # a heartbeat that does not change renews nothing
    until("the lease runs down", 5, lambda: 0 < master.words(at["state"], 2)[1] < lease_ms // 100 - 15)
    expect(master.write(at["heartbeat"], [beats]) is None, "the same heartbeat is refused")
    ended_s = until("the lease ends", 12, lambda: master.words(at["state"], 1)[0] != 0)
    expect(math.isnan(master.real(at["command"])), "a command without a lease is shown as in force")
    until("the battery goes its own way", 10, lambda: abs(master.real(at["power"]) - POWER_W) > 1)
    master.write(at["heartbeat"], [beats + 1])
    time_out_s = time.monotonic() + 0.5
    while time.monotonic() < time_out_s:
        expect(master.words(at["state"], 1)[0] != 0, "a heartbeat has revived a command whose lease had ended")
    return ended_s


def refusals(master):
    at = master.at
    scan = master.words(2, 2)
    nan, beyond = [0x7FC0, 0], master.client.convert_to_registers(5001.0, master.client.DATATYPE.FLOAT32)
    endless = master.client.convert_to_registers(math.inf, master.client.DATATYPE.FLOAT32)
    for what, address, words, code in [
        ("the header", 0, [7], ILLEGAL_ADDRESS),
        ("a point", at["soc"], [0, 0], ILLEGAL_ADDRESS),
        ("an output", at["power"], [0, 0], ILLEGAL_ADDRESS),
        ("a command that is not this writer's", at["command"] - 2, [0, 0], ILLEGAL_ADDRESS),
        ("a register that is not there", 65535, [0], ILLEGAL_ADDRESS),
        ("the state of a command", at["state"], [0], ILLEGAL_ADDRESS),
        ("half a value", at["command"], [0], ILLEGAL_VALUE),
        ("the other half", at["command"] + 1, [0], ILLEGAL_VALUE),
        ("not a number", at["command"], nan, ILLEGAL_VALUE),
        ("infinity", at["command"], endless, ILLEGAL_VALUE),
        ("out of range", at["command"], beyond, ILLEGAL_VALUE),
        ("a value and a register more", at["command"], [0, 0, 0], ILLEGAL_ADDRESS),
    ]:
        got = master.write(address, words)
        expect(got == code, f"writing {what}: exception {got}, not {code}")
    expect(math.isnan(master.real(at["command"])), "a refused write is in force")
    codes = [master.write_now(at["heartbeat"], [n]) for n in range(40)]
    expect(BUSY in codes and set(codes) <= {None, BUSY}, f"forty writes at once: {codes}")
    answer = master.client.read_holding_registers(65000, count=1, device_id=1)
    expect(answer.isError() and answer.exception_code == ILLEGAL_ADDRESS, f"reading what is not there: {answer}")
    until("the scan goes on", 2, lambda: master.words(2, 2) != scan)


def main():
    host, port, at = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    try:
        master = Master(host, port)
        master.at = at
        armed(master)
        refusals(master)
        followed_s = follows(master)
        ended_s = lease(master)
        print(json.dumps({"ok": True, "followed_s": followed_s, "lease_ended_s": ended_s}))
        return 0
    except Exception as error:  # whatever went wrong, the caller gets one line and an exit code
        print(json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}))
        return 1


if __name__ == "__main__":
    sys.exit(main())
