#!/usr/bin/env python3
"""Scans a SunSpec storage inverter with pysunspec2, a client that knows nothing of this project.

    sunspec_scan.py HOST PORT [UNIT]

Asserts the list of models and that what is read is legal and plausible, writes WSet and reads it back, and puts it back
to what it was. Prints one JSON line; the exit code is 0 when everything held, else 1.
Needs `pip install pysunspec2` (tried with 1.3.7).
"""

import json
import sys

import sunspec2.modbus.client as client

MODELS = [1, 701, 702, 704, 713, 715, 802]


class Wrong(Exception):
    """Something that was read is not what the models demand."""


def expect(condition, what):
    if not condition:
        raise Wrong(what)


def legal_points(model):
    """Every point of a model whose value is not one the model allows."""
    wrong = []
    for name, point in model.points.items():
        symbols = point.pdef.get("symbols")
        kind = point.pdef["type"]
        if point.value is None:
            if point.pdef.get("mandatory") == "M":
                wrong.append(f"{name} is mandatory and not implemented")
        elif symbols and kind.startswith("enum") and point.value not in [s["value"] for s in symbols]:
            wrong.append(f"{name} = {point.value} is no symbol of it")
        elif symbols and kind.startswith("bitfield"):
            known = sum(1 << s["value"] for s in symbols)
            if point.value & ~known:
                wrong.append(f"{name} = {point.value:#x} has unknown bits")
        elif kind == "sunssf" and not -10 <= point.value <= 10:
            wrong.append(f"{name} = {point.value} is no scale factor")
        elif isinstance(point.pdef.get("sf"), str) and model.points[point.pdef["sf"]].value is None:
            wrong.append(f"{name} has a value and no scale factor")
    return wrong


def measurements(device):
    ac, battery, der = device.models[701][0], device.models[802][0], device.models[713][0]
    return {
        "soc_percent": der.SoC.cvalue,
        "battery_soc_percent": battery.SoC.cvalue,
        "battery_v": battery.V.cvalue,
        "ac_w": ac.W.cvalue,
        "ac_hz": ac.Hz.cvalue,
        "ac_v": ac.LNV.cvalue,
    }


def check_measurements(found):
    expect(0 <= found["soc_percent"] <= 100, "SoC is no percentage")
    expect(abs(found["soc_percent"] - found["battery_soc_percent"]) < 0.2, "models 713 and 802 disagree about SoC")
    expect(49 < found["ac_hz"] < 51, "the frequency is not that of a 50 Hz grid")
    expect(200 < found["ac_v"] < 260, "the voltage is not that of a 230 V grid")
    expect(abs(found["ac_w"]) <= 5000, "more power than the rating")


def write_and_read_back(device, power_w):
    controls = device.models[704][0]
    controls.read()
    before_w = controls.WSet.cvalue
    controls.WSet.cvalue = power_w
    controls.WSet.write()
    controls.read()
    back_w = controls.WSet.cvalue
    controls.WSet.cvalue = before_w
    controls.WSet.write()
    controls.read()
    expect(back_w == power_w, f"WSet was written {power_w} and reads {back_w}")
    expect(controls.WSet.cvalue == before_w, "WSet could not be put back")
    return back_w


def refuses_write(device):
    """A write to a read-only point must be refused."""
    try:
        device.write(device.models[701][0].model_addr + 10, b"\x00\x01")
    except Exception as error:  # the client's exception for this differs between its versions
        return str(error)
    raise Wrong("a write to 701 W, which is read-only, was accepted")


def scan(host, port, unit):
    device = client.SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr=host, ipport=port, timeout=5)
    device.scan()
    try:
        models = [model.model_id for model in device.model_list]
        expect(models == MODELS, f"the models are {models}, not {MODELS}")
        wrong = [f"{m.model_id}.{w}" for m in device.model_list for w in legal_points(m)]
        expect(not wrong, "; ".join(wrong))
        found = measurements(device)
        check_measurements(found)
        device.models[715][0].read()
        return {
            "base": device.base_addr,
            "manufacturer": device.models[1][0].Mn.value,
            "models": models,
            **found,
            "heartbeat": device.models[715][0].DERHb.value,
            "w_set_read_back": write_and_read_back(device, -1234),
            "read_only_refused": refuses_write(device),
        }
    finally:
        device.close()


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 1
    host, port, unit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) == 4 else 1
    try:
        print(json.dumps({"ok": True, **scan(host, port, unit)}))
        return 0
    except Exception as error:  # whatever went wrong, the caller gets one line and an exit code
        print(json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}))
        return 1


if __name__ == "__main__":
    sys.exit(main())
