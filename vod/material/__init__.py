"""What a lecture is made of besides pictures and sound: its source, chapters, chosen poster."""
