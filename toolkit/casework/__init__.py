"""Cases that must stand up to others: exhibits, a chained log, redaction, checks, publishing."""
