"""What can go wrong with the storage, in words for the person who has to act.

    StorageError            anything below; its message is a whole sentence and never holds a secret
    ├ NotFound              no such row
    ├ Conflict              somebody else changed the row first, or the key is taken
    ├ StorageDown           the database cannot be reached just now: wait and try the same work again
    ├ Stale                 the lease was lost to another daemon (older fencing token): drop the work, write nothing
    ├ DatabaseNewer         the database was migrated by a later version of the program
    └ FolderInUse           another daemon holds the data folder

A lost connection leaves open whether its last COMMIT arrived, so work that is tried again after StorageDown has to be
such that doing it twice is doing it once.
"""


class StorageError(Exception):
    """Anything the storage refuses or fails to do."""


class NotFound(StorageError):
    """No such row."""


class Conflict(StorageError):
    """Changed by somebody else in between, or the key is taken."""


class StorageDown(StorageError):
    """The database is away: connection refused, lost or timed out, disk full, too many clients."""


class Stale(StorageError):
    """A newer lease exists; whatever the holder of the older one was about to write must not be written."""


class DatabaseNewer(StorageError):
    """The database knows migrations that this program does not."""

    def __init__(self, database: str, program: str) -> None:
        super().__init__(
            f"The database is newer than this program: it is at migration {database}, the program ends at {program}. "
            "Start the newer version of Ringmail, or restore a copy made before the update."
        )
        self.database = database
        self.program = program


class FolderInUse(StorageError):
    """Another process holds the lock of the data folder. `pid` is None if it did not say who it is."""

    def __init__(self, folder: str, pid: int | None, command: str) -> None:
        who = f"process {pid} ({command})" if pid is not None else "another process that left no name"
        super().__init__(
            f"The data folder {folder} is in use by {who}. Stop it first, or give this daemon another data_dir."
        )
        self.folder = folder
        self.pid = pid
        self.command = command
