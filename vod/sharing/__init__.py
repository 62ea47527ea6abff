"""What leaves the house without signing in: share pages, QR codes, feeds, calendars, sitemap."""
