"""The catalog's tables, and what is asked of them: `catalog.Catalog` joins the questions and does the writing."""
