"""The demo's data: 690 messages to the front office of a clinic that does not exist (CC0, see LICENSE.txt)."""
