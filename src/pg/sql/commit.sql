-- Commits the transaction.
commit
