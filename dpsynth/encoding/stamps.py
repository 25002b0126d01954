"""Days and times as text and as days, by arithmetic: Python's own dates end in the year 9999."""

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = dt.date(1970, 1, 1).toordinal()
# Local time is sought between these days; beyond them, where zones mean nothing, the day is UTC's.
_FIRST, _LAST = np.datetime64("0001-01-03"), np.datetime64("9999-12-29")


_SECONDS_A_DAY = 86_400
_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def text(cell: dt.date | np.datetime64) -> str:
    """Write a day or a time in ISO 8601: midnight as the day alone, a time with a zone in UTC."""
    import pandas as pd

    zoned = False
    if isinstance(cell, np.datetime64):
        stamp = cell
    elif isinstance(cell, pd.Timestamp):
        stamp, zoned = cell.to_datetime64(), cell.tzinfo is not None
    elif isinstance(cell, dt.datetime):
        offset = cell.utcoffset()
        stamp, zoned = np.datetime64(cell.replace(tzinfo=None), "us"), offset is not None
        if offset is not None:
            stamp -= np.timedelta64(offset, "us")
    else:
        return cell.isoformat()
    day, _, time = str(stamp).partition("T")
    clock, _, fraction = time.partition(".")
    clock += "00:00:00"[len(clock) :]
    fraction = fraction.rstrip("0")
    if not zoned and clock == "00:00:00" and not fraction:
        return day
    if fraction:
        clock += "." + fraction.ljust(6 if len(fraction) <= 6 else 9, "0")
    return f"{day}T{clock}+00:00" if zoned else f"{day}T{clock}"


def day(cell: dt.date | np.datetime64) -> float:
    """Return the day, counted as ``datetime.date.toordinal`` does; the local one of a zone."""
    import pandas as pd

    if isinstance(cell, pd.Timestamp):
        seconds = _floor(cell.to_datetime64(), "s")
        found = _floor(seconds, "D")
        if cell.tzinfo is not None and _FIRST <= found <= _LAST:
            local = pd.Timestamp(seconds, tz="UTC").tz_convert(cell.tzinfo).tz_localize(None)
            found = _floor(local.to_datetime64(), "D")
        return float(found.astype(np.int64) + _EPOCH)
    if isinstance(cell, np.datetime64):
        return float(_floor(cell, "D").astype(np.int64) + _EPOCH)
    return float(cell.toordinal())


def days(series: "pd.Series[Any]") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the days of a column of times, as ``day`` does, 0 where null; and where it is null."""
    import pandas as pd

    zoned = isinstance(series.dtype, pd.DatetimeTZDtype)
    stamps = (series.dt.tz_convert(None) if zoned else series).to_numpy()
    nulls = np.isnat(stamps)
    stamps = np.where(nulls, np.zeros((), stamps.dtype), stamps)
    seconds = _floor(stamps, "s")
    found = _floor(seconds, "D")
    if zoned:
        near = (found >= _FIRST) & (found <= _LAST)
        utc = pd.Series(seconds[near]).dt.tz_localize("UTC")
        local = utc.dt.tz_convert(series.dt.tz).dt.tz_localize(None)
        found[near] = _floor(local.to_numpy(), "D")
    return np.where(nulls, 0, found.astype(np.int64) + _EPOCH).astype(np.float64), nulls


def _floor(stamps: Any, unit: str) -> Any:
    """Return datetime64 in seconds or days. No NaT; numpy's own way wraps at the least times."""
    name, count = np.datetime_data(stamps.dtype)
    ticks = _A_SECOND.get(name)
    if ticks is None or count != 1:  # no column of pandas, but a single object may be
        return stamps.astype(f"datetime64[{unit}]")
    ticks *= _SECONDS_A_DAY if unit == "D" else 1
    return (stamps.astype(np.int64) // ticks).astype(f"datetime64[{unit}]")
