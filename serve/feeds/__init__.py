"""Catalogues as shops have them, piece by piece: lines of JSON, or Google's product feed as a table or as XML."""
