from __future__ import annotations

from alembic import context

from bridge.store.tables import metadata

connection = context.config.attributes["connection"]
if connection is None:
    raise SystemExit("migrations run when the server starts; see bridge/store/migrate.py")
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
