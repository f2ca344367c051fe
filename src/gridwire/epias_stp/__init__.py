"""EPİAŞ STP: the Turkish spot market for natural gas."""
