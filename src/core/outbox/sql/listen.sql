-- Asks for hints (core/outbox/hints.h).
listen tocsin
