"""A release on disk: ``public/`` may leave the house, ``internal/`` stays with the custodian.

Importing this loads neither pandas nor pyarrow; writing a table does.
"""

from dpsynth.release.bundle import public_folder, write, write_internal, write_parquet, write_public

__all__ = ["public_folder", "write", "write_internal", "write_parquet", "write_public"]
